import net from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeProxyBinary, encodeProxyText } from './encode.ts'
import { MAX_PROXY_HEADER_BYTES, type ReadProxyHeader, readProxyHeader } from './header.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const v2 = (command: number, family: number, body: string, length = body.length / 2): Buffer =>
  Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 255]), Buffer.from(body, 'hex')])

const FOUR = '0a000001' + '0a000002' + '1f90' + '01bb'
const SIX = `20010db8${'00'.repeat(11)}0120010db8${'00'.repeat(11)}021f9001bb`
const read4 = { source: '10.0.0.1', sourcePort: 8080, destination: '10.0.0.2', destinationPort: 443 }
const read6 = { source: '2001:db8::1', sourcePort: 8080, destination: '2001:db8::2', destinationPort: 443 }

const well = (bytes: Buffer, addresses: typeof read4 | undefined): ReadProxyHeader => ({ length: bytes.length, addresses })
const text = (line: string): Buffer => Buffer.from(line, 'latin1')

describe('a PROXY header that is read', () => {
  it.each<[string, Buffer, typeof read4 | undefined]>([
    ['v1 over IPv4', text('PROXY TCP4 10.0.0.1 10.0.0.2 8080 443\r\n'), read4],
    ['v1 over IPv6', text('PROXY TCP6 2001:DB8::1 2001:db8:0::2 8080 443\r\n'), read6],
    ['v1 of a mapped address', text('PROXY TCP6 ::ffff:10.0.0.1 ::ffff:10.0.0.2 8080 443\r\n'), read4],
    ['v1 of an unknown client', text('PROXY UNKNOWN\r\n'), undefined],
    ['v1 of an unknown client with words', text('PROXY UNKNOWN ffff:f 0 65535\r\n'), undefined],
    ['v2 over IPv4', v2(0x21, 0x11, FOUR), read4],
    ['v2 over IPv6', v2(0x21, 0x21, SIX), read6],
    ['v2 with TLVs', v2(0x21, 0x11, `${FOUR}03000461626364040000`), read4],
    ['v2 LOCAL', v2(0x20, 0x00, ''), undefined],
    ['v2 LOCAL with bytes that mean nothing', v2(0x20, 0x11, FOUR), undefined],
  ])('%s', (_, bytes, addresses) => {
    expect(readProxyHeader(bytes)).toEqual(well(bytes, addresses))
    const more = Buffer.concat([bytes, text('GET / HTTP/1.1\r\n')])
    expect(readProxyHeader(more)).toEqual(well(bytes, addresses))
    for (let end = 0; end < bytes.length; end++)
      expect(readProxyHeader(bytes.subarray(0, end)), `cut at ${end}`).toBe('incomplete')
  })
})

describe('a PROXY header that is refused', () => {
  it.each<[string, Buffer]>([
    ['no header at all', text('GET / HTTP/1.1\r\n')],
    ['a TLS hello', Buffer.from([22, 3, 1])],
    ['lower case', text('proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n')],
    ['an unknown family', text('PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n')],
    ['two spaces', text('PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n')],
    ['a space at the end', text('PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n')],
    ['a port too high', text('PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n')],
    ['a port with a zero in front', text('PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n')],
    ['a port with a sign', text('PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n')],
    ['a missing port', text('PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n')],
    ['an address of the other family', text('PROXY TCP4 ::1 ::1 1 2\r\n')],
    ['IPv4 as IPv6', text('PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n')],
    ['an address out of range', text('PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n')],
    ['an octal address', text('PROXY TCP4 10.0.0.010 10.0.0.2 1 2\r\n')],
    ['a bare LF', text('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\nGET / HTTP/1.1\r\n')],
    ['a bare CR', text('PROXY TCP4 10.0.0.1\rx')],
    ['a line of 108 bytes', text(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
    ['a line without an end', text(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
    ['version 1 in binary', v2(0x11, 0x11, FOUR)],
    ['version 3', v2(0x31, 0x11, FOUR)],
    ['an unknown command', v2(0x22, 0x11, FOUR)],
    ['UDP', v2(0x21, 0x12, FOUR)],
    ['a UNIX socket', v2(0x21, 0x31, '00'.repeat(216))],
    ['an unspecified family', v2(0x21, 0x00, '')],
    ['addresses that are cut off', v2(0x21, 0x11, FOUR.slice(2))],
    ['IPv6 with the length of IPv4', v2(0x21, 0x21, FOUR)],
    ['a TLV that is cut off', v2(0x21, 0x11, `${FOUR}0300`)],
    ['a TLV that is too long', v2(0x21, 0x11, `${FOUR}03000561`)],
    ['more than we read', v2(0x21, 0x11, FOUR, MAX_PROXY_HEADER_BYTES)],
  ])('for %s', (_, bytes) => {
    expect(readProxyHeader(bytes)).toBe('malformed')
  })

  it('stays refused whatever follows, and is never an error', () => {
    const start = fc.constantFrom(text('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n'), v2(0x21, 0x11, `${FOUR}0300016104000162`))
    const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(start, fc.array(edit, { maxLength: 4 }), fc.nat(), (original, edits, cut) => {
        const bytes = Buffer.from(original)
        for (const [at, value] of edits) bytes[at % bytes.length] = value
        const part = readProxyHeader(bytes.subarray(0, cut % (bytes.length + 1)))
        const whole = readProxyHeader(bytes)
        if (part === 'malformed') expect(whole).toBe('malformed')
        if (typeof part === 'object') expect(whole).toEqual(part)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('a PROXY header that is written', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6())
  const port = fc.integer({ min: 0, max: 65_535 })
  const addresses = fc.record({ source: address, sourcePort: port, destination: address, destinationPort: port })
  const canonical = (text: string): string => {
    const { address } = new net.SocketAddress({ address: text, family: net.isIPv6(text) ? 'ipv6' : 'ipv4' })
    return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  }

  it('is read as it was meant', () => {
    fc.assert(
      fc.property(addresses, (meant) => {
        const expected = { ...meant, source: canonical(meant.source), destination: canonical(meant.destination) }
        for (const bytes of [text(encodeProxyText(meant)), encodeProxyBinary(meant)])
          expect(readProxyHeader(bytes)).toEqual({ length: bytes.length, addresses: expected })
      }),
    )
  })

  it('is what the specification shows', () => {
    expect(encodeProxyText(read4)).toBe('PROXY TCP4 10.0.0.1 10.0.0.2 8080 443\r\n')
    expect(encodeProxyBinary(read4)).toEqual(v2(0x21, 0x11, FOUR))
    expect(encodeProxyBinary(read6)).toEqual(v2(0x21, 0x21, SIX))
  })
})
