import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Template, Variable } from '../table/index.ts'
import { cookieValue } from './cookies.ts'
import { fieldText, keyText, urlText } from './template.ts'
import { request } from './testing/request.ts'

const view = request({
  method: 'POST',
  host: 'shop.example',
  authority: 'Shop.example:8443',
  path: '/cart/7',
  query: '?a=1&B=two&a=3',
  requestId: 'abc',
  captures: ['/cart/7', '7'],
  fields: { 'x-team': 'blue', cookie: 'a=1; session="s 1"; b=2' },
})

describe('a template', () => {
  it.each<[Template, string]>([
    [[], ''],
    [['plain'], 'plain'],
    [[{ of: 'scheme' }, '://', { of: 'host' }, { of: 'requestUri' }], 'https://shop.example/cart/7?a=1&B=two&a=3'],
    [[{ of: 'query' }], 'a=1&B=two&a=3'],
    [[{ of: 'method' }, ' ', { of: 'path' }], 'POST /cart/7'],
    [
      [
        { of: 'capture', index: 1 },
        { of: 'capture', index: 2 },
      ],
      '7',
    ],
    [
      [
        { of: 'header', name: 'x-team' },
        { of: 'header', name: 'x-none' },
      ],
      'blue',
    ],
    [[{ of: 'cookie', name: 'session' }], 's 1'],
    [
      [
        { of: 'argument', name: 'b' },
        { of: 'argument', name: 'a' },
      ],
      'two1',
    ],
    [[{ of: 'clientAddress' }, { of: 'requestId' }], '192.0.2.7abc'],
    [[{ of: 'escapedRequestUri' }], '%2Fcart%2F7%3Fa%3D1%26B%3Dtwo%26a%3D3'],
    [[{ of: 'escapedUrl' }], 'https%3A%2F%2FShop.example%3A8443%2Fcart%2F7%3Fa%3D1%26B%3Dtwo%26a%3D3'],
  ])('%j joins to %s', (template, text) => {
    expect(keyText(template)(view)).toBe(text)
  })

  it('is safe for its place', () => {
    const template: Template = ['ü\r\nX: ', { of: 'header', name: 'h' }]
    const evil = request({ fields: { h: 'a\r\nSet-Cookie: b\0\xff c' } })
    expect(fieldText(template)(evil)).toBe('Ã¼X: aSet-Cookie: b\xff c')
    expect(urlText(template)(evil)).toBe('%C3%BC%0D%0AX:%20a%0D%0ASet-Cookie:%20b%00%FF%20c')
  })

  it('never yields a line break or a character that a head cannot hold', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom<Variable[]>(
        { of: 'header', name: 'h' },
        { of: 'cookie', name: 'c' },
        { of: 'argument', name: 'a' },
        { of: 'query' },
      ),
    )
    fc.assert(
      fc.property(fc.array(part), fc.string({ unit: 'binary' }), (template, bytes) => {
        const from = request({ query: `?a=${bytes}`, fields: { h: bytes, cookie: `c=${bytes}` } })
        expect(fieldText(template)(from)).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/)
        expect(urlText(template)(from)).toMatch(/^(?:[\x21-\x7e]|)*$/)
      }),
    )
  })
})

describe('cookieValue', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['id=1', '1'],
    ['a=2; id=1; id=3', '1'],
    [' id = 1 ', '1'],
    ['id="x y"', 'x y'],
    ['id="', '"'],
    ['id=', ''],
    ['ID=1', undefined],
    ['xid=1', undefined],
    ['id', undefined],
    ['junk; id=1', '1'],
    ['junk;;; ;id=a=b', 'a=b'],
    ['a="x; id=1"', '1"'],
  ])('of %j is %j', (field, value) => {
    expect(cookieValue(field, 'id')).toBe(value)
  })

  it('equals a naive reading of any text', () => {
    const piece = fc.constantFrom('id', 'a', '=', ';', ' ', '"', 'x', '\t')
    const naive = (text: string): string | undefined => {
      for (const pair of text.split(';')) {
        const [name, ...rest] = pair.split('=')
        if (rest.length === 0 || name?.trim() !== 'id') continue
        const value = rest.join('=').trim()
        return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
      }
      return undefined
    }
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        expect(cookieValue(pieces.join(''), 'id')).toBe(naive(pieces.join('')))
      }),
      { numRuns: 2000 },
    )
  })
})
