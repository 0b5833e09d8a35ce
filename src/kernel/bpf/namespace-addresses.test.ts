import { describe, expect, it } from 'vitest'
import { localIPv4, localIPv6 } from './namespace-addresses.ts'

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.1.1.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 10.1.1.0/24 2 0 2
        |-- 10.1.1.2
           /32 host LOCAL
        |-- 10.1.1.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
`

describe('addresses of a network namespace', () => {
  it('are the local leaves of its IPv4 trie, each once', () => {
    expect(localIPv4(FIB_TRIE + FIB_TRIE)).toEqual(['10.1.1.2', '127.0.0.1'])
    expect(localIPv4('')).toEqual([])
  })
  it('are the lines of its IPv6 list', () => {
    const text = `00000000000000000000000000000001 01 80 10 80       lo
fd000001000000000000000000000002 02 80 00 80     eth0
`
    expect(localIPv6(text)).toEqual(['::1', 'fd00:1::2'])
    expect(localIPv6('nonsense\n')).toEqual([])
  })
})
