import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ForwardedLines } from './forwarded.ts'
import { readForwarded } from './forwarded-field.ts'
import { RequestHead } from './request-head.ts'

const isTrusted = (address: string): boolean => address.startsWith('10.') || address === '127.0.0.1' || address === 'fd00::1'

/** What is made of a request that a peer sends. */
const seen = (peer: string, fields: { readonly for?: string; readonly identity?: string }) => {
  const head = new RequestHead()
  head.authority = 'a.b'
  head.forwardedFor = fields.for ?? ''
  head.identity = fields.identity ?? ''
  const lines = new ForwardedLines({ address: peer, isTlsPort: false, localPort: 80, isTrusted: isTrusted(peer) }, isTrusted)
  return { client: lines.clientAddress(head), isSecure: lines.isSecure(head), text: lines.of(head) }
}

describe('the client of a trusted proxy', () => {
  it.each<[string, { readonly for?: string; readonly identity?: string }, string, boolean]>([
    ['nothing said', {}, '10.0.0.1', false],
    ['X-Forwarded-For', { for: '192.0.2.1' }, '192.0.2.1', false],
    ['the last that is not trusted', { for: '6.6.6.6, 192.0.2.1, 10.0.0.2' }, '192.0.2.1', false],
    ['only trusted ones: the first', { for: '10.0.0.3, 10.0.0.2' }, '10.0.0.3', false],
    ['what is no address ends the search', { for: '192.0.2.1, evil, 10.0.0.2' }, '10.0.0.2', false],
    ['an empty hop ends it too', { for: '192.0.2.1, , 10.0.0.2' }, '10.0.0.2', false],
    ['X-Forwarded-Proto', { for: '192.0.2.1', identity: 'X-Forwarded-Proto: HTTPS\r\n' }, '192.0.2.1', true],
    ['Forwarded alone', { identity: 'Forwarded: for=192.0.2.1;proto=https\r\n' }, '192.0.2.1', true],
    ['Forwarded, IPv6 with a port', { identity: 'Forwarded: For="[2001:db8::1]:4711"\r\n' }, '2001:db8::1', false],
    [
      'Forwarded of several hops',
      { identity: 'Forwarded: for=6.6.6.6;proto=https, for=192.0.2.1, for=10.0.0.2\r\n' },
      '192.0.2.1',
      false,
    ],
    [
      'Forwarded in two lines',
      { identity: 'Forwarded: for=192.0.2.1\r\nForwarded: for=10.0.0.2;proto=http\r\n' },
      '192.0.2.1',
      false,
    ],
    [
      'Forwarded by an obfuscated client',
      { identity: 'Forwarded: for=_hidden;proto=https, for=10.0.0.2\r\n' },
      '10.0.0.2',
      false,
    ],
    ['X-Forwarded-For goes before Forwarded', { for: '192.0.2.1', identity: 'Forwarded: for=192.0.2.2\r\n' }, '192.0.2.1', false],
    ['a malformed Forwarded says nothing', { identity: 'Forwarded: for=192.0.2.1 proto=https\r\n' }, '10.0.0.1', false],
  ])('%s', (_name, fields, client, isSecure) => {
    expect(seen('10.0.0.1', fields)).toMatchObject({ client, isSecure })
  })

  it('is told to the pod; a malformed Forwarded is not', () => {
    expect(seen('10.0.0.1', { identity: 'Forwarded: for=192.0.2.1;proto=https\r\n' }).text).toBe(
      'X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n' +
        'X-Forwarded-Proto: https\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Host: a.b\r\n',
    )
    expect(seen('10.0.0.1', { identity: 'Forwarded: for=;\r\nX-Forwarded-Prefix: /p\r\n' }).text).toBe(
      'X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-Prefix: /p\r\n' +
        'X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Host: a.b\r\n',
    )
  })
})

describe('anybody else', () => {
  it('is who it is, whatever it says', () => {
    const said = {
      for: '10.0.0.9',
      identity: 'Forwarded: for=10.0.0.9;proto=https\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /p\r\n',
    }
    const { client, isSecure, text } = seen('192.0.2.9', said)
    expect([client, isSecure]).toEqual(['192.0.2.9', false])
    expect(text).not.toMatch(/10\.0\.0\.9|https|Prefix/)
  })
})

describe('the grammar of Forwarded', () => {
  it.each<[string, readonly (string | undefined)[] | undefined]>([
    ['for=1.2.3.4', ['1.2.3.4']],
    ['For="[2001:db8:cafe::17]:4711"', ['2001:db8:cafe::17']],
    ['for=192.0.2.43, for="[2001:db8:cafe::17]"', ['192.0.2.43', '2001:db8:cafe::17']],
    ['for=unknown', [undefined]],
    ['for=_gazonk', [undefined]],
    ['for="_x:_port"', [undefined]],
    ['proto=http;by=203.0.113.43', [undefined]],
    ['for=1.2.3.4;;proto=https', ['1.2.3.4']],
    ['for=1.2.3.4 , for=5.6.7.8', ['1.2.3.4', '5.6.7.8']],
    ['for="1.2.3.4:_http"', ['1.2.3.4']],
    ['host="a\\"b"', [undefined]],
    ['', []],
    [', ,', []],
    ['for', undefined],
    ['for=', undefined],
    ['for =1.2.3.4', undefined],
    ['for= 1.2.3.4', undefined],
    ['for=1.2.3.4;for=5.6.7.8', undefined],
    ['for="1.2.3.4', undefined],
    ['for=1.2.3.4 proto=https', undefined],
    ['for=[::1]', undefined],
    ['for=a@b', undefined],
  ])('%s', (value, expected) => {
    expect(readForwarded(value)?.map((element) => element.for)).toEqual(expected)
  })

  it('never gives anything but addresses, and ends for whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('f', 'o', 'r', '=', ';', ',', '"', '\\', ' ', '[', ']', ':', '1', '.', '_'),
          maxLength: 40,
        }),
        (value) => {
          for (const element of readForwarded(value) ?? []) expect(element.for ?? '1').toMatch(/^[0-9A-Fa-f:.]+$/)
        },
      ),
      { numRuns: 3_000 },
    )
  })
})
