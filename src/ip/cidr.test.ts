import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressAt,
  addressesFrom,
  bitsOf,
  cidrContains,
  cidrContainsCIDR,
  cidrOf,
  cidrSize,
  cidrsOverlap,
  firstAddress,
  formatAddress,
  formatCIDR,
  lastAddress,
  offsetIn,
  parseAddress,
  parseCIDR,
  readCIDR,
} from './index.ts'

const cidr = (text: string) => parseCIDR(text)!
const address = (text: string) => parseAddress(text)!

describe('parseCIDR', () => {
  it.each(['10.0.0.0/8', '0.0.0.0/0', '10.9.8.7/32', '::/0', '2001:db8::/64', '::1/128'])(
    'reads %s and writes it back',
    (text) => {
      expect(formatCIDR(cidr(text))).toBe(text)
    },
  )

  it.each([
    '',
    '/',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.1/8',
    '010.0.0.0/8',
    '::/129',
    '::ffff:10.0.0.0/104',
    '10.0.0.0/ 8',
    `10.0.0.0/${'9'.repeat(1_000_000)}`,
  ])('refuses %j', (text) => {
    expect(parseCIDR(text)).toBeUndefined()
  })

  it.each([
    ['10.0.0.5/24', '10.0.0.0/24', { leadingZeros: false, mapped: false, hostBits: true }],
    ['010.0.0.0/24', '10.0.0.0/24', { leadingZeros: true, mapped: false, hostBits: false }],
    ['10.0.0.0/024', '10.0.0.0/24', { leadingZeros: true, mapped: false, hostBits: false }],
    ['::ffff:10.0.0.0/120', '10.0.0.0/24', { leadingZeros: false, mapped: true, hostBits: false }],
  ])('leniently reads %s as %s and says what is wrong', (text, canonical, findings) => {
    const { cidr: read, ...rest } = readCIDR(text)!
    expect(formatCIDR(read)).toBe(canonical)
    expect(rest).toEqual(findings)
  })
})

describe('ranges', () => {
  it('knows size, first and last', () => {
    const range = cidr('172.30.0.0/16')
    expect(cidrSize(range)).toBe(65536n)
    expect(formatAddress(firstAddress(range))).toBe('172.30.0.0')
    expect(formatAddress(lastAddress(range))).toBe('172.30.255.255')
    expect(cidrSize(cidr('::/0'))).toBe(1n << 128n)
  })

  it('gives addresses by offset and back, and nothing outside', () => {
    const range = cidr('10.0.0.0/30')
    expect([...addressesFrom(range, 1)].map(formatAddress)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    expect(addressAt(range, 4)).toBeUndefined()
    expect(addressAt(range, -1)).toBeUndefined()
    expect(offsetIn(range, address('10.0.0.3'))).toBe(3n)
    expect(offsetIn(range, address('10.0.0.4'))).toBeUndefined()
    expect(offsetIn(range, address('::3'))).toBeUndefined()
  })

  it('contains and overlaps as the arithmetic says', () => {
    const anyCIDR = fc
      .tuple(fc.constantFrom('IPv4' as const, 'IPv6' as const), fc.bigInt({ min: 0n, max: 255n }), fc.integer({ min: 0, max: 8 }))
      .map(([family, bits, length]) => cidrOf({ family, value: bits << BigInt(bitsOf(family) - 8) }, length))
    fc.assert(
      fc.property(anyCIDR, anyCIDR, (a, b) => {
        const aLast = lastAddress(a).value
        const bLast = lastAddress(b).value
        const together = a.family === b.family
        expect(cidrsOverlap(a, b)).toBe(together && a.base <= bLast && b.base <= aLast)
        expect(cidrContainsCIDR(a, b)).toBe(together && a.base <= b.base && bLast <= aLast)
        expect(cidrContains(a, firstAddress(b))).toBe(together && a.base <= b.base && b.base <= aLast)
      }),
    )
  })
})
