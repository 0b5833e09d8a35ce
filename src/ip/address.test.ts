import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressFromBytes,
  addressOfReverseName,
  addressToBytes,
  addToAddress,
  compareAddresses,
  formatAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  parseAddress,
  readAddress,
  reverseName,
} from './index.ts'

const canonical = (text: string): string | undefined => {
  const address = parseAddress(text)
  return address === undefined ? undefined : formatAddress(address)
}

describe('parseAddress', () => {
  it.each([
    ['10.9.8.7', '10.9.8.7'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::FFFF', '2001:db8::ffff'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('reads %s as %s', (text, expected) => {
    expect(canonical(text)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-4',
    '1.2.3.+4',
    '1.2.3.0x4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1..3.4',
    '01.2.3.4',
    '1.2.3.00',
    '١.٢.٣.٤',
    '1.2.3.4/24',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '::1.2.3',
    '1.2.3.4::',
    '::ffff:10.0.0.1',
    '::ffff:0a00:1',
    '::01.2.3.4',
    `1.2.3.${'0'.repeat(1_000_000)}4`,
    ':'.repeat(1_000_000),
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  it('agrees with node:net about random text', () => {
    const characters = fc.stringMatching(/^[0-9a-f:.]{1,20}$/)
    fc.assert(
      fc.property(characters, (text) => {
        const reading = readAddress(text)
        if (isIP(text) !== 0) expect(reading).toBeDefined()
        else if (reading !== undefined) expect(reading.leadingZeros).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives back every address that it wrote', () => {
    const address = fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value) => ({ family: 'IPv4' as const, value })),
      fc
        .array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), { minLength: 8, maxLength: 8 })
        .map((groups) => ({ family: 'IPv6' as const, value: groups.reduce((sum, group) => (sum << 16n) | group, 0n) }))
        .filter(({ value }) => value >> 32n !== 0xffffn),
    )
    fc.assert(
      fc.property(address, (original) => {
        const text = formatAddress(original)
        expect(parseAddress(text)).toEqual(original)
        expect(addressFromBytes(addressToBytes(original))).toEqual(original)
        expect(addressOfReverseName(reverseName(original))).toEqual(original)
        if (original.family === 'IPv6') expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`)
      }),
    )
  })
})

describe('readAddress', () => {
  it.each([
    ['010.9.8.7', { text: '10.9.8.7', leadingZeros: true, mapped: false }],
    ['::ffff:10.9.8.7', { text: '10.9.8.7', leadingZeros: false, mapped: true }],
    ['::ffff:0a09:0807', { text: '10.9.8.7', leadingZeros: false, mapped: true }],
    ['::ffff:10.9.8.07', { text: '10.9.8.7', leadingZeros: true, mapped: true }],
    ['2001:db8::1', { text: '2001:db8::1', leadingZeros: false, mapped: false }],
  ])('accepts %s and says what is wrong with it', (text, expected) => {
    const reading = readAddress(text)
    expect(
      reading && { text: formatAddress(reading.address), leadingZeros: reading.leadingZeros, mapped: reading.mapped },
    ).toEqual(expected)
  })
})

describe('arithmetic', () => {
  const at = (text: string) => parseAddress(text)!

  it('stops at the ends of the family', () => {
    expect(addToAddress(at('255.255.255.255'), 1n)).toBeUndefined()
    expect(addToAddress(at('0.0.0.0'), -1n)).toBeUndefined()
    expect(addToAddress(at('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'), 1n)).toBeUndefined()
    expect(formatAddress(addToAddress(at('10.0.0.255'), 1n)!)).toBe('10.0.1.0')
  })

  it('orders IPv4 before IPv6, then by value', () => {
    const sorted = ['::1', '10.0.0.10', '10.0.0.9', '::'].map(at).sort(compareAddresses).map(formatAddress)
    expect(sorted).toEqual(['10.0.0.9', '10.0.0.10', '::', '::1'])
  })
})

describe('special addresses', () => {
  it.each([
    ['127.8.9.1', isLoopback],
    ['::1', isLoopback],
    ['0.0.0.0', isUnspecified],
    ['::', isUnspecified],
    ['169.254.1.1', isLinkLocal],
    ['fe80::1', isLinkLocal],
    ['239.1.1.1', isMulticast],
    ['ff02::1', isMulticast],
  ])('%s is known', (text, is) => {
    expect(is(parseAddress(text)!)).toBe(true)
    expect(is(parseAddress('10.0.0.1')!)).toBe(false)
    expect(is(parseAddress('2001:db8::1')!)).toBe(false)
  })
})

describe('reverse names', () => {
  it.each([
    ['10.9.8.7', '7.8.9.10.in-addr.arpa'],
    ['2001:db8::567:89ab', 'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa'],
  ])('%s is %s', (text, name) => {
    expect(reverseName(parseAddress(text)!)).toBe(name)
    expect(formatAddress(addressOfReverseName(`${name.toUpperCase()}.`)!)).toBe(text)
  })

  it.each([
    '',
    'in-addr.arpa',
    '8.9.10.in-addr.arpa',
    '1.7.8.9.10.in-addr.arpa',
    '07.8.9.10.in-addr.arpa',
    '256.8.9.10.in-addr.arpa',
    'a.ip6.arpa',
    'web.default.svc',
  ])('%j names no address', (name) => {
    expect(addressOfReverseName(name)).toBeUndefined()
  })
})
