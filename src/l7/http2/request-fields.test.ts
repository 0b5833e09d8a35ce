import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestHead } from '../http1/request-head.ts'
import { defaultSettings } from '../settings.ts'
import { readRequestFields } from './request-fields.ts'

type List = readonly string[]
const BASE: List = [':method', 'GET', ':scheme', 'https', ':authority', 'a.test', ':path', '/x']
const POST: List = [':method', 'POST', ':scheme', 'https', ':authority', 'a.test', ':path', '/x']
const get = (...fields: string[]): List => [...BASE, ...fields]
const post = (...fields: string[]): List => [...POST, ...fields]
/** The base with one pseudo-header changed, or without it. */
const but = (name: string, value?: string): List =>
  Array.from({ length: BASE.length / 2 }, (_, i) => [BASE[i * 2]!, BASE[i * 2 + 1]!] as const).flatMap(([n, v]) =>
    n !== name ? [n, v] : value === undefined ? [] : [n, value],
  )

const read = (list: List, isWhole = true): { readonly status: number; readonly head: RequestHead } => {
  const head = new RequestHead()
  return { status: readRequestFields(list, isWhole, defaultSettings, head), head }
}

const REFUSED: readonly [why: string, list: List, status: number, isStreamed?: boolean][] = [
  ['no field at all', [], 400],
  ['no :method', but(':method'), 400],
  ['no :scheme', but(':scheme'), 400],
  ['no :path', but(':path'), 400],
  ['neither :authority nor Host', but(':authority'), 400],
  ['a second :method', [...BASE, ':method', 'GET'], 400],
  ['a second :path', [...BASE, ':path', '/y'], 400],
  ['a second :authority', [...BASE, ':authority', 'b.test'], 400],
  ['a second :scheme', [...BASE, ':scheme', 'http'], 400],
  [':status in a request', [':status', '200', ...BASE], 400],
  ['an unknown pseudo-header', [...BASE, ':unknown', 'x'], 400],
  [':protocol, as extended CONNECT is not offered', [...BASE, ':protocol', 'websocket'], 400],
  ['a pseudo-header after a field', [...BASE, 'accept', '*/*', ':path', '/y'], 400],
  ['a pseudo-header in upper case', [...but(':path'), ':PATH', '/x'], 400],
  ['an empty pseudo-header name', [...BASE, ':', 'x'], 400],
  ['CONNECT', [':method', 'CONNECT', ':authority', 'a.test:443'], 405],
  ['CONNECT with a path', but(':method', 'CONNECT'), 405],
  ['TRACE', but(':method', 'TRACE'), 405],
  ['an empty method', but(':method', ''), 400],
  ['a method with a blank (request splitting)', but(':method', 'GET /admin HTTP/1.1\r\nX: '), 400],
  ['a method that is no token', but(':method', 'GE(T'), 400],
  ['a method of 33 letters', but(':method', 'A'.repeat(33)), 400],
  ['a scheme that is no HTTP', but(':scheme', 'ftp'), 400],
  ['a scheme in upper case', but(':scheme', 'HTTPS'), 400],
  ['a scheme that brings an authority', but(':scheme', 'https://b.test/'), 400],
  ['an empty scheme', but(':scheme', ''), 400],
  ['an empty path', but(':path', ''), 400],
  ['a path without a slash', but(':path', 'x'), 400],
  ['an absolute path (a second authority)', but(':path', 'http://b.test/x'), 400],
  ['`*` of another method than OPTIONS', but(':path', '*'), 400],
  ['a path with a blank', but(':path', '/x HTTP/1.1'), 400],
  ['a path with CRLF', but(':path', '/x\r\nX-Evil: 1'), 400],
  ['a path with NUL', but(':path', '/x\0'), 400],
  ['a path with a fragment', but(':path', '/x#y'), 400],
  ['a path with bytes above 0x7e', but(':path', '/\xe4'), 400],
  ['a path above the root', but(':path', '/../x'), 400],
  ['a path above the root, encoded', but(':path', '/%2e%2e/x'), 400],
  ['an encoded NUL', but(':path', '/%00'), 400],
  ['a bad escape', but(':path', '/%zz'), 400],
  ['a backslash', but(':path', '/a\\..\\b'), 400],
  ['an encoded slash that hides a dot element', but(':path', '/a%2f..%2fb'), 400],
  ['a path that is too long', but(':path', `/${'x'.repeat(8_192)}`), 414],
  ['an empty authority', but(':authority', ''), 400],
  ['user information', but(':authority', 'user@a.test'), 400],
  ['a port that is none', but(':authority', 'a.test:99999'), 400],
  ['an authority with a path', but(':authority', 'a.test/x'), 400],
  ['an authority with a blank', but(':authority', 'a.test b'), 400],
  ['an authority with CRLF', but(':authority', 'a.test\r\nX: 1'), 400],
  ['two authorities in one', but(':authority', 'a.test,b.test'), 400],
  ['a Host that differs', get('host', 'b.test'), 400],
  ['a Host that differs in its port', get('host', 'a.test:8443'), 400],
  ['an empty Host', get('host', ''), 400],
  ['two Hosts, although equal', get('host', 'a.test', 'host', 'a.test'), 400],
  ['a bad Host without :authority', [...but(':authority'), 'host', 'a b'], 400],
  ['a name in upper case', get('Accept', '*/*'), 400],
  ['an empty name', get('', 'x'), 400],
  ['a name with a blank', get('a b', 'x'), 400],
  ['a name with a colon', get('a:b', 'x'), 400],
  ['a name with CRLF', get('a\r\nb', 'x'), 400],
  ['a name with NUL', get('a\0', 'x'), 400],
  ['a name with a byte above 0x7e', get('\xe4', 'x'), 400],
  ['a name with a character that would fold into a colon', get('a\u013ab', 'x'), 400],
  ['a value with CR', get('a', 'x\ry'), 400],
  ['a value with LF (a line of its own)', get('a', 'x\ny: z'), 400],
  ['a value with CRLF (request smuggling)', get('a', 'x\r\n\r\nGET /admin HTTP/1.1'), 400],
  ['a value with NUL', get('a', 'x\0'), 400],
  ['a value with a control character', get('a', 'x\x01'), 400],
  ['a value with DEL', get('a', 'x\x7f'), 400],
  ['a value with a character that would fold into CR', get('a', 'x\u010dy'), 400],
  ['a value that begins with a blank', get('a', ' x'), 400],
  ['a value that ends with a tab', get('a', 'x\t'), 400],
  ['a value that is a blank', get('a', ' '), 400],
  ['Connection', get('connection', 'close'), 400],
  ['Connection that names a field', get('connection', 'authorization'), 400],
  ['Keep-Alive', get('keep-alive', 'timeout=5'), 400],
  ['Proxy-Connection', get('proxy-connection', 'keep-alive'), 400],
  ['Transfer-Encoding: chunked (H2.TE)', post('transfer-encoding', 'chunked'), 400, true],
  ['Transfer-Encoding: identity', post('transfer-encoding', 'identity'), 400, true],
  ['Upgrade', get('upgrade', 'websocket'), 400],
  ['Upgrade: h2c', get('upgrade', 'h2c'), 400],
  ['TE: gzip', get('te', 'gzip'), 400],
  ['TE: trailers, gzip', get('te', 'trailers, gzip'), 400],
  ['an unknown expectation', get('expect', 'x'), 417],
  ['two lengths', post('content-length', '1', 'content-length', '1'), 400, true],
  ['a length with a sign', post('content-length', '+1'), 400, true],
  ['a length with a comma', post('content-length', '1,1'), 400, true],
  ['a length in hexadecimal', post('content-length', '0x1'), 400, true],
  ['an empty length', post('content-length', ''), 400, true],
  ['a length beyond all numbers', post('content-length', '1'.repeat(16)), 400, true],
  ['a length that no body follows (H2.CL)', post('content-length', '5'), 400],
  ['129 fields', get(...Array.from({ length: 129 }, (_, i) => [`a${i}`, 'x']).flat()), 431],
  ['a head that is too large', get('a', 'x'.repeat(32_768)), 431],
  [
    'crumbs of a cookie that are too large together',
    get(...Array.from({ length: 9 }, () => ['cookie', 'x'.repeat(4_096)]).flat()),
    431,
  ],
]

describe('refuses', () => {
  it.each(REFUSED)('%s', (_why, list, status, isStreamed) => {
    expect(read(list, isStreamed !== true).status).toBe(status)
  })
})

const TAKEN: readonly [why: string, list: List, head: Partial<RequestHead>, isStreamed?: boolean][] = [
  [
    'the least',
    BASE,
    { method: 'GET', host: 'a.test', authority: 'a.test', path: '/x', target: '/x', fields: '', keepAlive: true },
  ],
  ['a Host instead of :authority', [...but(':authority'), 'host', 'A.test:8443'], { host: 'a.test', authority: 'A.test:8443' }],
  ['a Host that is equal without case', get('host', 'A.TEST'), { host: 'a.test', fields: '' }],
  ['a final dot and a port', but(':authority', 'A.test.:443'), { host: 'a.test' }],
  ['an IPv6 literal', but(':authority', '[::1]:443'), { host: '[::1]' }],
  [
    'pseudo-headers in any order',
    [':path', '/p', ':authority', 'a.test', ':method', 'PUT', ':scheme', 'http'],
    { method: 'PUT', path: '/p' },
  ],
  ['OPTIONS *', [...but(':method', 'OPTIONS').slice(0, 6), ':path', '*'], { path: '*', target: '*' }],
  ['a path in canonical form', but(':path', '/a/./b//../%63?q=%2e'), { path: '/a/c', target: '/a/c?q=%2e' }],
  ['an encoded slash, opaque', but(':path', '/a%2fb'), { path: '/a%2Fb' }],
  ['an own method', but(':method', 'PURGE'), { method: 'PURGE' }],
  ['fields, in order', get('accept', '*/*', 'x-a', '1', 'x-a', '2'), { fields: 'accept: */*\r\nx-a: 1\r\nx-a: 2\r\n' }],
  ['an empty value', get('x-a', ''), { fields: 'x-a: \r\n' }],
  ['obs-text', get('x-a', '\xe4'), { fields: 'x-a: \xe4\r\n' }],
  ['a blank within a value', get('x-a', 'a\tb c'), { fields: 'x-a: a\tb c\r\n' }],
  ['`__proto__` as any other name', get('__proto__', 'x'), { fields: '__proto__: x\r\n' }],
  ['crumbs of a cookie as one', get('cookie', 'a=1', 'x-b', '2', 'cookie', 'c=3'), { fields: 'x-b: 2\r\ncookie: a=1; c=3\r\n' }],
  ['TE: trailers', get('te', 'trailers'), { acceptsTrailers: true, fields: '' }],
  ['a length', post('content-length', '5'), { contentLength: 5, chunked: false, fields: '' }, true],
  ['a length of 0 and no body', post('content-length', '0'), { contentLength: 0, chunked: false }],
  ['a body without a length', POST, { contentLength: -1, chunked: true }, true],
  ['no body', POST, { contentLength: -1, chunked: false }],
  ['an expectation', post('expect', '100-continue', 'content-length', '1'), { expectsContinue: true }, true],
  ['a request id', get('x-request-id', 'abc-1'), { requestId: 'abc-1', fields: '' }],
  ['a request id that is none, dropped', get('x-request-id', 'a b'), { requestId: '', fields: '' }],
  ['identity, kept apart', get('x-forwarded-proto', 'https'), { fields: '', identity: 'x-forwarded-proto: https\r\n' }],
  [
    'X-Forwarded-For, kept apart',
    get('x-forwarded-for', '1.1.1.1', 'x-forwarded-for', '2.2.2.2'),
    { fields: '', forwardedFor: '1.1.1.1, 2.2.2.2' },
  ],
  ['X-Forwarded-Prefix as identity', get('x-forwarded-prefix', '/x'), { fields: '', identity: 'x-forwarded-prefix: /x\r\n' }],
  [
    'aliases with `_` and `.`, dropped',
    get('x_forwarded_for', '1.1.1.1', 'content.length', '3', 'transfer_encoding', 'x'),
    { fields: '', forwardedFor: '', identity: '' },
  ],
  ['X-Real-IP, kept apart', get('x-real-ip', '1.1.1.1'), { fields: '', realIp: '1.1.1.1' }],
  ['Proxy-Authorization and HTTP2-Settings, dropped', get('proxy-authorization', 'x', 'http2-settings', 'AAM'), { fields: '' }],
  ['Trailer, dropped', post('trailer', 'x-sum'), { fields: '' }, true],
]

describe('takes', () => {
  it.each(TAKEN)('%s', (_why, list, expected, isStreamed) => {
    const { status, head } = read(list, isStreamed !== true)
    expect(status).toBe(0)
    expect(head).toMatchObject(expected)
  })

  it('no WebSocket by any field', () => {
    expect(read(get('sec-websocket-key', 'x')).head.upgrade).toBe(false)
  })

  it('nothing of the request before', () => {
    const head = new RequestHead()
    readRequestFields(
      post('content-length', '5', 'te', 'trailers', 'cookie', 'a', 'x-forwarded-for', '1'),
      false,
      defaultSettings,
      head,
    )
    expect(readRequestFields(BASE, true, defaultSettings, head)).toBe(0)
    expect(head).toMatchObject({ contentLength: -1, acceptsTrailers: false, fields: '', forwardedFor: '' })
  })
})

describe('whatever comes', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', '-', '_', ':', ' ', '\t', '\r', '\n', '\0', '/', '.', '%', '\xe4', '\u010a'),
  })
  const name = fc.oneof(
    text,
    fc.constantFrom('host', 'cookie', 'te', 'content-length', 'x-forwarded-for', 'x-a', ':path', ':method', ':authority'),
  )
  const lists = fc.array(fc.tuple(name, text), { maxLength: 12 })

  it('no head text has a line that is not a field, or a control character', () => {
    fc.assert(
      fc.property(lists, fc.boolean(), fc.boolean(), (pairs, isWhole, hasBase) => {
        const { status, head } = read([...(hasBase ? BASE : []), ...pairs.flat()], isWhole)
        if (status !== 0) return
        const { method, target, authority, fields, identity, forwardedFor, realIp, requestId } = head
        expect([method, target, authority, forwardedFor, realIp, requestId].join('')).not.toMatch(/[\r\n\0]/)
        for (const line of `${fields}${identity}`.split('\r\n')) expect(line).toMatch(/^$|^[!#$%&'*+.^_`|~0-9a-z-]+: [^\r\n\0]*$/)
      }),
      { numRuns: 3_000 },
    )
  })
})
