import { describe, expect, it } from 'vitest'
import type { RoutePolicy, TextPair } from '../table/index.ts'
import { compileCookieRewrite, compileLocationRewrite } from './response-rewriting.ts'

describe('cookies of a pod', () => {
  it.each<[NonNullable<RoutePolicy['cookieRewrite']>, string, string]>([
    [{ path: [{ from: '/two/', to: '/' }] }, 'a=b; Path=/two/x; Secure', 'a=b; Path=/x; Secure'],
    [{ path: [{ from: '/two/', to: '/' }] }, 'a=b; path=/one/', 'a=b; path=/one/'],
    [{ path: [{ from: '/', to: '/p/' }] }, 'a=b; path=/; HttpOnly', 'a=b; path=/p/; HttpOnly'],
    [
      {
        path: [
          { from: '/a', to: '/1' },
          { from: '/', to: '/2' },
        ],
      },
      'c=d; Path=/ab',
      'c=d; Path=/1b',
    ],
    [
      { domain: [{ from: 'pod.local', to: 'shop.example' }] },
      'a=b; Domain=.POD.local; Path=/',
      'a=b; Domain=.shop.example; Path=/',
    ],
    [{ domain: [{ from: 'pod.local', to: 'shop.example' }] }, 'a=b; Domain=x.pod.local', 'a=b; Domain=x.pod.local'],
    [{ path: [{ from: '/', to: '/;X=y\r\nZ: 1' }] }, 'a=b; Path=/', 'a=b; Path=/%3BX=yZ: 1'],
    [{ path: [{ from: '/', to: '/x/' }] }, 'path=/; Secure', 'path=/; Secure'],
    [{ path: [{ from: '/', to: '/x/' }] }, '', ''],
  ])('%j: %s becomes %s', (rewrite, cookie, changed) => {
    const edit = compileCookieRewrite(rewrite)
    expect(edit(`A: 1\r\nSet-Cookie: ${cookie}\r\nB: path=/\r\n`)).toBe(`A: 1\r\nSet-Cookie: ${changed}\r\nB: path=/\r\n`)
  })
})

describe('redirects of a pod', () => {
  it.each<[TextPair, string, string]>([
    [{ from: 'http://pod/', to: 'https://shop.example/' }, 'Location: http://pod/a\r\n', 'Location: https://shop.example/a\r\n'],
    [{ from: 'http://pod/', to: '/' }, 'Location: http://other/a\r\n', 'Location: http://other/a\r\n'],
    [{ from: '/', to: '/p/' }, 'location:/a\r\nX: /b\r\n', 'location: /p/a\r\nX: /b\r\n'],
    [{ from: 'http://pod/', to: '/' }, 'Refresh: 5; URL=http://pod/a\r\n', 'Refresh: 5; URL=/a\r\n'],
    [{ from: 'http://pod/', to: '/' }, 'Refresh: 5\r\n', 'Refresh: 5\r\n'],
    [{ from: '/', to: '/\r\nX: 1' }, 'Location: /a\r\n', 'Location: /X: 1a\r\n'],
  ])('%j: %s', (pair, fields, changed) => {
    expect(compileLocationRewrite(pair)(fields)).toBe(changed)
  })
})
