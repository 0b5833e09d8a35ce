import net from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AccessPolicy } from '../table/index.ts'
import { type Access, compileAccess } from './access.ts'
import { AddressSet, clientKey } from './client-address.ts'

describe('access', () => {
  it.each<[AccessPolicy, string, Access]>([
    [{}, '192.0.2.1', 'unnamed'],
    [{ allow: ['192.0.2.0/24'] }, '192.0.2.1', 'allowed'],
    [{ allow: ['192.0.2.0/24'] }, '192.0.3.1', 'denied'],
    [{ allow: ['192.0.2.0/24'] }, '::ffff:192.0.2.1', 'allowed'],
    [{ allow: ['::ffff:192.0.2.0/120'] }, '192.0.2.1', 'allowed'],
    [{ allow: ['192.0.2.1'] }, '192.0.2.1', 'allowed'],
    [{ allow: ['192.0.2.1'] }, '192.0.2.2', 'denied'],
    [{ allow: ['0.0.0.0/0'] }, '2001:db8::1', 'denied'],
    [{ allow: ['0.0.0.0/0', '::/0'] }, '2001:db8::1', 'allowed'],
    [{ allow: [] }, '192.0.2.1', 'denied'],
    [{ allow: ['192.0.2.0/24'] }, '', 'denied'],
    [{ allow: ['192.0.2.0/24'] }, 'unix:', 'denied'],
    [{ deny: ['192.0.2.0/24'] }, '192.0.2.1', 'denied'],
    [{ deny: ['192.0.2.0/24'] }, '::ffff:192.0.2.1', 'denied'],
    [{ deny: ['192.0.2.0/24'] }, '192.0.3.1', 'unnamed'],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.128/25'] }, '192.0.2.200', 'denied'],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.128/25'] }, '192.0.2.100', 'allowed'],
  ])('%j takes %s as %s', (access, address, outcome) => {
    expect(compileAccess(access)(address)).toBe(outcome)
  })

  it('does not begin with half a list', () => {
    expect(() => compileAccess({ deny: ['192.0.2.0/24', 'oops'] })).toThrow('not a CIDR: oops')
  })
})

describe('AddressSet', () => {
  const byte = fc.integer({ min: 0, max: 3 })
  const v4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.map((each) => each * 85).join('.'))
  const v6 = fc.tuple(byte, byte).map(([a, b]) => `2001:db8:${a}::${b}`)
  const cidr = fc.oneof(
    fc.tuple(v4, fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => `${address}/${prefix}`),
    fc.tuple(v6, fc.integer({ min: 30, max: 128 })).map(([address, prefix]) => `${address}/${prefix}`),
  )
  it("equals Node's BlockList", () => {
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 12 }), fc.array(fc.oneof(v4, v6), { maxLength: 12 }), (cidrs, addresses) => {
        const list = new net.BlockList()
        for (const text of cidrs) {
          const [address = '', prefix] = text.split('/')
          list.addSubnet(address, Number(prefix), net.isIPv6(address) ? 'ipv6' : 'ipv4')
        }
        const set = new AddressSet(cidrs)
        for (const address of addresses) expect(set.has(address)).toBe(list.check(address, net.isIPv6(address) ? 'ipv6' : 'ipv4'))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('clientKey', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:db8::1', '2001:db8::ffff:1', true],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['2001:db8::1', '2001:db8:0:1::1', false],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
  ])('%s and %s: the same client: %s', (one, other, isSame) => {
    expect(clientKey(one) === clientKey(other)).toBe(isSame)
  })
})
