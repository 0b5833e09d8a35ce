import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts'

const u8 = (value: number): Buffer => Buffer.from([value])
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const v8 = (...parts: Buffer[]): Buffer => Buffer.concat([u8(Buffer.concat(parts).length), ...parts])
const v16 = (...parts: Buffer[]): Buffer => Buffer.concat([u16(Buffer.concat(parts).length), ...parts])
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), v16(body)])
const sni = (name: string): Buffer => extension(0, v16(u8(0), v16(Buffer.from(name, 'latin1'))))
const alpn = (...names: string[]): Buffer => extension(16, v16(...names.map((name) => v8(Buffer.from(name)))))

interface Parts {
  readonly version?: Buffer
  readonly session?: Buffer
  readonly ciphers?: Buffer
  readonly compression?: Buffer
  readonly extensions?: Buffer
}

const body = (parts: Parts = {}): Buffer =>
  Buffer.concat([
    parts.version ?? u16(0x0303),
    Buffer.alloc(32, 7),
    parts.session ?? v8(Buffer.alloc(32)),
    parts.ciphers ?? v16(u16(0x1301)),
    parts.compression ?? v8(u8(0)),
    parts.extensions ?? v16(sni('a.example.com'), alpn('h2', 'http/1.1')),
  ])

const message = (content: Buffer, type = 1): Buffer =>
  Buffer.concat([u8(type), Buffer.from([content.length >> 16, (content.length >> 8) & 255, content.length & 255]), content])
const record = (content: Buffer, type = 22, version = 0x0301): Buffer => Buffer.concat([u8(type), u16(version), v16(content)])
const hello = (parts?: Parts): Buffer => record(message(body(parts)))
const withExtensions = (...list: Buffer[]): Buffer => hello({ extensions: v16(...list) })

const GOOD = { serverName: 'a.example.com', protocols: ['h2', 'http/1.1'] }

describe('a ClientHello', () => {
  it.each<[string, Buffer, ReturnType<typeof readClientHello>]>([
    ['with a name and protocols', hello(), GOOD],
    ['of TLS 1.0', hello({ version: u16(0x0301) }), GOOD],
    ['in records of TLS 1.2', record(message(body()), 22, 0x0303), GOOD],
    ['without extensions', hello({ extensions: Buffer.alloc(0) }), { serverName: undefined, protocols: [] }],
    ['with an empty list of extensions', withExtensions(), { serverName: undefined, protocols: [] }],
    ['with unknown extensions', withExtensions(extension(0xfafa, Buffer.alloc(9)), sni('b')), { serverName: 'b', protocols: [] }],
    ['of no byte', Buffer.alloc(0), 'incomplete'],
    ['that is HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'malformed'],
    ['of SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1]), 'malformed'],
    ['in an alert record', record(message(body()), 21), 'malformed'],
    ['in a record of version 2', record(message(body()), 22, 0x0201), 'malformed'],
    ['in an empty record', record(Buffer.alloc(0)), 'malformed'],
    ['that is a ServerHello', record(message(body(), 2)), 'malformed'],
    ['followed by another message', record(Buffer.concat([message(body()), message(body())])), 'malformed'],
    ['of version 2', hello({ version: u16(0x0200) }), 'malformed'],
    ['with a session of 33 bytes', hello({ session: v8(Buffer.alloc(33)) }), 'malformed'],
    ['without ciphers', hello({ ciphers: v16() }), 'malformed'],
    ['with half a cipher', hello({ ciphers: v16(Buffer.alloc(3)) }), 'malformed'],
    ['without compression', hello({ compression: v8() }), 'malformed'],
    ['with bytes after its extensions', hello({ extensions: Buffer.concat([v16(), u8(0)]) }), 'malformed'],
    ['with extensions that are cut off', hello({ extensions: u16(5) }), 'malformed'],
    ['with an extension that is too long', withExtensions(Buffer.concat([u16(0), u16(9)])), 'malformed'],
    ['with a name twice', withExtensions(sni('a'), sni('b')), 'malformed'],
    ['with an unknown extension twice', withExtensions(extension(99, u8(0)), extension(99, u8(0))), 'malformed'],
    ['with an empty name', withExtensions(sni('')), 'malformed'],
    ['with an empty list of names', withExtensions(extension(0, v16())), 'malformed'],
    ['with two names', withExtensions(extension(0, v16(u8(0), v16(u8(97)), u8(0), v16(u8(98))))), 'malformed'],
    ['with another kind of name', withExtensions(extension(0, v16(u8(1), v16(u8(97))))), 'malformed'],
    ['with a NUL in its name', withExtensions(sni('a\0.example.com')), 'malformed'],
    ['with a name of 256 bytes', withExtensions(sni('a'.repeat(256))), 'malformed'],
    [
      'with a name list that ends early',
      withExtensions(extension(0, Buffer.concat([v16(u8(0), v16(u8(97))), u8(0)]))),
      'malformed',
    ],
    ['with no protocol', withExtensions(extension(16, v16())), 'malformed'],
    ['with an empty protocol', withExtensions(extension(16, v16(v8()))), 'malformed'],
    ['with a protocol that is cut off', withExtensions(extension(16, v16(u8(9)))), 'malformed'],
    ['of more than 16 KiB', record(message(Buffer.alloc(MAX_HELLO_BYTES))).subarray(0, 100), 'malformed'],
  ])('%s', (_, bytes, expected) => {
    expect(readClientHello(bytes)).toEqual(expected)
  })

  it('is incomplete in every part of it', () => {
    const bytes = hello()
    for (let end = 0; end < bytes.length; end++) expect(readClientHello(bytes.subarray(0, end))).toBe('incomplete')
  })

  it('is the same in any number of records', () => {
    const whole = message(body())
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sizes) => {
        const records: Buffer[] = []
        for (let at = 0, i = 0; at < whole.length; i++) {
          const end = Math.min(whole.length, at + (sizes[i % sizes.length] ?? 1))
          records.push(record(whole.subarray(at, end)))
          at = end
        }
        const bytes = Buffer.concat(records)
        expect(readClientHello(bytes)).toEqual(GOOD)
        for (let end = 0; end < bytes.length; end++) expect(readClientHello(bytes.subarray(0, end))).toBe('incomplete')
      }),
      { numRuns: 50 },
    )
  })

  it('with changed bytes is judged without an error, and what was refused stays refused', () => {
    const edit = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat(), (edits, cut) => {
        const bytes = Buffer.from(hello())
        for (const [at, value] of edits) bytes[at % bytes.length] = value
        const part = readClientHello(bytes.subarray(0, cut % (bytes.length + 1)))
        const whole = readClientHello(bytes)
        if (part === 'malformed') expect(whole).toBe('malformed')
      }),
      { numRuns: 5_000 },
    )
  })

  it.each<[string, tls.ConnectionOptions, string | undefined]>([
    ['with a name', { servername: 'Web.Example.com', ALPNProtocols: ['http/1.1'] }, 'Web.Example.com'],
    ['without a name', { ALPNProtocols: ['http/1.1'] }, undefined],
    ['of TLS 1.2', { servername: 'old.example.com', ALPNProtocols: ['http/1.1'], maxVersion: 'TLSv1.2' }, 'old.example.com'],
  ])('of OpenSSL %s', async (_, options, serverName) => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const client = tls.connect({ port, host: '127.0.0.1', ...options }).on('error', () => {})
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    client.destroy()
    socket.destroy()
    server.close()
    expect(readClientHello(bytes)).toEqual({ serverName, protocols: ['http/1.1'] })
  })
})
