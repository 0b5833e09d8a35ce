import { addressFromBytes, formatAddress } from '../../ip/index.ts'

/** IPv4 addresses of a network namespace, out of `/proc/PID/net/fib_trie`: leaves that are `host LOCAL`. */
export const localIPv4 = (fibTrie: string): readonly string[] => [
  ...new Set([...fibTrie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)].map(([, address]) => address ?? '')),
]

/** IPv6 addresses of a network namespace, out of `/proc/PID/net/if_inet6`. */
export const localIPv6 = (ifInet6: string): readonly string[] =>
  ifInet6.split('\n').flatMap((line) => {
    const [hex = ''] = line.split(' ')
    const address = addressFromBytes(Buffer.from(hex, 'hex'))
    return address === undefined || hex.length !== 32 ? [] : [formatAddress(address)]
  })
