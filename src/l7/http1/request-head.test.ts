import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestHead, readRequestHead } from './request-head.ts'
import { HEAD_COMPLETE, HEAD_INCOMPLETE, type HeadLimits, HeadScan, scanHead } from './scan.ts'

const limits: HeadLimits = { maxStartLineBytes: 200, maxHeadBytes: 600, maxFields: 12 }

/** What a head is judged to be: a status that refuses it, `incomplete`, or the head and where it ended. */
const judge = (text: string, cuts: readonly number[] = []): unknown => {
  const bytes = Buffer.from(text, 'latin1')
  const scan = new HeadScan()
  const head = new RequestHead()
  scan.reset(0)
  for (const to of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
    const found = scanHead(bytes, to, scan, limits)
    if (found === HEAD_INCOMPLETE) {
      // Another connection's head comes between the segments.
      const other = new HeadScan()
      scanHead(Buffer.from('GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n'), 30, other, limits)
      continue
    }
    const status = found === HEAD_COMPLETE ? readRequestHead(bytes, scan, head) : found
    return status === 0 ? { ...head, end: scan.position } : status
  }
  return 'incomplete'
}

const request = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (...fields: readonly string[]): string => request('GET / HTTP/1.1', 'Host: a.b', ...fields)
const post = (...fields: readonly string[]): string => request('POST / HTTP/1.1', 'Host: a.b', ...fields)

describe('accepted heads', () => {
  it.each<[string, object]>([
    [get(), { method: 'GET', target: '/', host: 'a.b', authority: 'a.b', keepAlive: true, fields: '', contentLength: -1 }],
    [get('Accept: */*', 'X-A:b', 'Y: \t c \t'), { fields: 'Accept: */*\r\nX-A:b\r\nY: \t c \t\r\n' }],
    [
      request('GET /a/../b?c=/../d HTTP/1.1', 'host: A.B:80'),
      { target: '/b?c=/../d', path: '/b', host: 'a.b', authority: 'A.B:80' },
    ],
    [request('GET http://C.d:81/x?y HTTP/1.1', 'Host: a.b'), { host: 'c.d', authority: 'C.d:81', target: '/x?y' }],
    [request('GET http://c.d?y HTTP/1.1', 'Host: a.b'), { host: 'c.d', target: '/?y' }],
    [request('OPTIONS * HTTP/1.1', 'Host: a.b'), { target: '*', path: '*' }],
    [request('GET / HTTP/1.0'), { host: '', keepAlive: false, minor: 0 }],
    [request('GET / HTTP/1.0', 'Connection: Keep-Alive'), { keepAlive: true }],
    [get('Connection: close'), { keepAlive: false, fields: '' }],
    [get('Connection: keep-alive, X-Drop', 'X-Drop: 1', 'Zed: 2'), { fields: 'Zed: 2\r\n' }],
    [get('Connection: Zed', 'Y: 1', 'Zed: 2', 'zED: 3'), { fields: 'Y: 1\r\n' }],
    [
      get('Connection: Host, Cookie, X-Forwarded-For, Authorization', 'Cookie: c', 'Authorization: d'),
      { host: 'a.b', fields: 'Cookie: c\r\nAuthorization: d\r\n' },
    ],
    [post('Content-Length: 5'), { contentLength: 5 }],
    [post('Content-Length: 0'), { contentLength: 0 }],
    [post('Transfer-Encoding: chunked'), { chunked: true }],
    [post('transfer-encoding: CHUNKED'), { chunked: true }],
    [post('Expect: 100-continue', 'Content-Length: 1'), { expectsContinue: true, fields: '' }],
    [get('Upgrade: websocket', 'Connection: Upgrade'), { upgrade: true, fields: '' }],
    [get('Upgrade: websocket'), { upgrade: false }],
    [get('Upgrade: h2c', 'HTTP2-Settings: AAA', 'Connection: Upgrade, HTTP2-Settings'), { upgrade: false, fields: '' }],
    [post('Upgrade: websocket', 'Connection: Upgrade'), { upgrade: false }],
    [get('Keep-Alive: 5', 'Proxy-Connection: x', 'Trailer: y', 'Proxy-Authorization: z'), { fields: '' }],
    [get('TE: trailers, deflate;q=0.5'), { acceptsTrailers: true, fields: '' }],
    [get('X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2'), { forwardedFor: '1.1.1.1, 2.2.2.2', fields: '' }],
    [
      get('X-Forwarded-Proto: https', 'Forwarded: for=x', 'X-Forwarded-Prefix: /p'),
      { fields: '', identity: 'X-Forwarded-Proto: https\r\nForwarded: for=x\r\nX-Forwarded-Prefix: /p\r\n' },
    ],
    [
      get('X_Forwarded_For: 1.1.1.1', 'X.Real.IP: 2', 'Content_Length: 5', 'Transfer.Encoding: chunked'),
      { fields: '', identity: '', contentLength: -1, chunked: false },
    ],
    [get('my_own_field: 1'), { fields: 'my_own_field: 1\r\n' }],
    [get('X-Request-ID: abc-1'), { requestId: 'abc-1', fields: '' }],
    [get('X-Request-ID: bad id'), { requestId: '' }],
    [get('X-B: \xe9'), { fields: 'X-B: \xe9\r\n' }],
    [`\r\n${get()}`, { method: 'GET' }],
    [get('A:'), { fields: 'A:\r\n' }],
  ])('%j', (text, expected) => expect(judge(text)).toMatchObject(expected))
})

describe('refused heads', () => {
  it.each<[string, number]>([
    // framing
    [post('Content-Length: 5', 'Transfer-Encoding: chunked'), 400],
    [post('Transfer-Encoding: chunked', 'Content-Length: 5'), 400],
    [post('Content-Length: 5', 'Content-Length: 6'), 400],
    [post('Content-Length: 5', 'Content-Length: 5'), 400],
    [post('Content-Length: 5, 5'), 400],
    [post('Content-Length: +5'), 400],
    [post('Content-Length: -5'), 400],
    [post('Content-Length: 0x5'), 400],
    [post('Content-Length: 5 5'), 400],
    [post('Content-Length: '), 400],
    [post('Content-Length: 5.0'), 400],
    [post('Content-Length: 99999999999999999999'), 400],
    [post('Content-Length: 5_'), 400],
    [post('Transfer-Encoding: gzip, chunked'), 501],
    [post('Transfer-Encoding: chunked, identity'), 501],
    [post('Transfer-Encoding: identity'), 501],
    [post('Transfer-Encoding: xchunked'), 501],
    [post('Transfer-Encoding: "chunked"'), 501],
    [post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400],
    [post('Transfer-Encoding: \x0bchunked'), 400],
    [post('Transfer-Encoding: '), 501],
    [request('POST / HTTP/1.0', 'Host: a.b', 'Transfer-Encoding: chunked'), 400],
    // syntax
    [get('A : b'), 400],
    [get(' A: b'), 400],
    [get('A: b', ' folded'), 400],
    [get('A: b', '\tfolded'), 400],
    [get(': b'), 400],
    [get('A'), 400],
    [get('A b: c'), 400],
    [get('A\xe9: c'), 400],
    [get('A(: c'), 400],
    [get('A: b\x00'), 400],
    [get('A: b\x7f'), 400],
    [get('A: b\rc'), 400],
    [get('A: b\nC: d'), 400],
    ['GET / HTTP/1.1\nHost: a.b\n\n', 400],
    ['GET / HTTP/1.1\r\nHost: a.b\r\n\n', 400],
    ['GET / HTTP/1.1\r\nHost: a.b\n\r\n', 400],
    ['\r\n\r\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n', 400],
    [' GET / HTTP/1.1\r\nHost: a.b\r\n\r\n', 400],
    ['\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n', 400],
    [request('GET  / HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /  HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /\tHTTP/1.1', 'Host: a.b'), 400],
    [request('GET / HTTP/1.1 ', 'Host: a.b'), 400],
    [request('GET /', 'Host: a.b'), 400],
    [request('GET', 'Host: a.b'), 400],
    [request('G(T / HTTP/1.1', 'Host: a.b'), 400],
    [request('GET / http/1.1', 'Host: a.b'), 400],
    [request('GET / HTTP/1.1.1', 'Host: a.b'), 400],
    [request('GET / HTTP/11', 'Host: a.b'), 400],
    [request('GET / XTTP/1.1', 'Host: a.b'), 400],
    [request('GET / HTTP/2.0', 'Host: a.b'), 505],
    [request('GET / HTTP/0.9', 'Host: a.b'), 505],
    [request('PRI * HTTP/2.0'), 505],
    [request('CONNECT a.b:443 HTTP/1.1', 'Host: a.b'), 405],
    [request('CONNECT / HTTP/1.1', 'Host: a.b'), 405],
    [request('TRACE / HTTP/1.1', 'Host: a.b'), 405],
    // target
    [request('GET a HTTP/1.1', 'Host: a.b'), 400],
    [request('GET * HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /a#b HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /a b HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /\xe9 HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /%00 HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /../x HTTP/1.1', 'Host: a.b'), 400],
    [request('GET /..%2fx HTTP/1.1', 'Host: a.b'), 400],
    [request('GET ftp://a.b/ HTTP/1.1', 'Host: a.b'), 400],
    [request('GET http:///x HTTP/1.1', 'Host: a.b'), 400],
    [request('GET http://u@a.b/ HTTP/1.1', 'Host: a.b'), 400],
    // host
    [request('GET / HTTP/1.1'), 400],
    [request('GET / HTTP/1.1', 'Host: a.b', 'Host: a.b'), 400],
    [request('GET / HTTP/1.1', 'Host: a.b', 'Host: c.d'), 400],
    [request('GET / HTTP/1.1', 'Host:'), 400],
    [request('GET / HTTP/1.1', 'Host: a.b, c.d'), 400],
    [request('GET / HTTP/1.1', 'Host: u@a.b'), 400],
    [request('GET / HTTP/1.1', 'Host: a.b:x'), 400],
    [request('GET / HTTP/1.1', 'Host: a b'), 400],
    [request('GET / HTTP/1.1', 'Host: a.b/c'), 400],
    [request('GET http://a.b/ HTTP/1.1', 'Host: c d'), 400],
    [request('GET http://a.b/ HTTP/1.1'), 400],
    // others
    [post('Expect: 200-ok'), 417],
    [get('Connection: a b'), 400],
    [get('Connection: close;x'), 400],
    // limits
    [request(`GET /${'a'.repeat(200)} HTTP/1.1`, 'Host: a.b'), 414],
    [get(`A: ${'b'.repeat(600)}`), 431],
    [get(...Array.from({ length: 20 }, (_, i) => `A${i}: b`)), 431],
  ])('%j: %d', (text, status) => expect(judge(text)).toBe(status))

  it.each([`GET /${'a'.repeat(300)}`, 'a'.repeat(10_000), `GET / HTTP/1.1\r\nA: ${'b'.repeat(700)}`])(
    'an endless head is refused before its end (%#)',
    (text) => expect([414, 431]).toContain(judge(text)),
  )
})

describe('the same bytes in any segments', () => {
  const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '')
  const line = fc.constantFrom(
    'GET / HTTP/1.1',
    'POST /a/../b HTTP/1.1',
    'GET / HTTP/3.0',
    'Host: a.b',
    'Host: c',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Connection: close, A',
    'A: b',
    ' fold',
    'A : b',
    `X-Long: ${'x'.repeat(150)}`,
    '',
    '\0',
    'Expect: 100-continue',
  )
  const anyHead = fc.oneof(
    fc.array(fc.tuple(line, lineEnd), { maxLength: 10 }).map((lines) => `${lines.flat().join('')}\r\n\r\n`),
    fc.string({ unit: fc.constantFrom('G', 'E', 'T', ' ', '/', ':', '\r', '\n', '\0', 'a', '1'), maxLength: 80 }),
  )

  it('get the same judgement', () => {
    fc.assert(
      fc.property(anyHead, fc.array(fc.nat({ max: 300 }), { maxLength: 6 }), (text, cuts) => {
        const whole = judge(text)
        expect(judge(text, cuts)).toEqual(whole)
        expect(
          judge(
            text,
            Array.from({ length: text.length }, (_, i) => i),
          ),
        ).toEqual(whole)
      }),
      { numRuns: 3_000 },
    )
  })

  it('whatever is accepted holds no line break, control character or hop-by-hop field', () => {
    fc.assert(
      fc.property(anyHead, (text) => {
        const judged = judge(text)
        if (typeof judged !== 'object' || judged === null) return
        const { fields, target } = judged as RequestHead
        expect(fields.replaceAll(/\r\n/g, '')).not.toMatch(/[\r\n\0]/)
        expect(target).toMatch(/^[!"$-~]+$/)
        expect(fields).not.toMatch(/^(?:connection|transfer-encoding|content-length|host|upgrade)[^:]*:/im)
      }),
      { numRuns: 2_000 },
    )
  })
})
