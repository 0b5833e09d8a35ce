import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Redirect, Template } from '../table/index.ts'
import type { RequestView } from './contract.ts'
import { compileRedirects } from './redirect.ts'
import { locationText } from './redirect-target.ts'
import { rewriteText } from './rewrite.ts'
import { request } from './testing/request.ts'

const header: Template[number] = { of: 'header', name: 'h' }
const capture: Template[number] = { of: 'capture', index: 1 }

describe('the Location of a redirect', () => {
  it.each<[Template, string | undefined, string]>([
    [['https://other.example/a?b#c'], undefined, 'https://other.example/a?b#c'],
    [['/login'], undefined, '/login'],
    [['https://', { of: 'host' }, { of: 'requestUri' }], undefined, 'https://shop.example/a?q=1'],
    [[{ of: 'scheme' }, '://www.', { of: 'host' }, { of: 'requestUri' }], undefined, 'https://www.shop.example/a?q=1'],
    [['/x', header], ' ü\r\nSet-Cookie: a=b', '/x%20%FC%0D%0ASet-Cookie:%20a=b'],
    [['/', header], '/evil.example', '/evil.example'],
    [['/', header], '\\evil.example', '/evil.example'],
    [[header], '//evil.example', '/evil.example'],
    [[header], '\\/\\evil.example', '/evil.example'],
    [[header], 'https://evil.example', '/https://evil.example'],
    [[header], 'javascript:alert(1)', '/javascript:alert(1)'],
    [['https://shop.example', capture], '.evil.example', 'https://shop.example/.evil.example'],
    [['https://shop.example', capture], '@evil.example', 'https://shop.example/@evil.example'],
    [['https://shop.example', capture], ':80@evil.example', 'https://shop.example/:80@evil.example'],
    [['https://shop.example', capture], '/a/b', 'https://shop.example/a/b'],
    [['https://shop.example/', capture], 'a@b', 'https://shop.example/a@b'],
    [['https://', capture, '.example/'], 'evil.com/', 'https://evil.com%2F.example/'],
    [['https://', capture, '.example/'], 'x@y', 'https://x%40y.example/'],
    [['/\u00fc'], undefined, '/%C3%BC'],
  ])('%j with %j is %s', (template, bytes, location) => {
    const view = request({ path: '/a', query: '?q=1', captures: ['', bytes ?? ''], fields: { h: bytes ?? '' } })
    expect(locationText(template)(view)).toBe(location)
  })

  it('leads a browser to the host that its author wrote, whatever the request holds', () => {
    const bytes = fc.string({
      unit: fc.constantFrom('/', '\\', '.', '@', ':', '?', '#', 'e', ' ', '\t', '%', 'http', '\n'),
      maxLength: 8,
    })
    fc.assert(
      fc.property(
        bytes,
        fc.constantFrom<Template[]>([header], ['/', header], [header, header], ['/a', header]),
        (text, template) => {
          const location = locationText(template)(request({ fields: { h: text } }))
          expect(new URL(location, 'https://shop.example/').host).toBe('shop.example')
        },
      ),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(bytes, (text) => {
        const location = locationText(['https://other.example', header])(request({ fields: { h: text } }))
        expect(new URL(location).host).toBe('other.example')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('redirects', () => {
  const toHttps: Redirect = { status: 308, when: 'plain-http', to: ['https://', { of: 'host' }, { of: 'requestUri' }] }
  const always: Redirect = { status: 301, when: 'always', to: ['https://new.example/'] }
  it.each<[string, readonly Redirect[], Partial<RequestView>, number | undefined, string?]>([
    ['https stays', [toHttps], {}, undefined],
    ['http moves with its query', [toHttps], { isSecure: false, path: '/a', query: '?b' }, 308, 'https://shop.example/a?b'],
    ['ACME challenges stay', [toHttps], { isSecure: false, path: '/.well-known/acme-challenge/t' }, undefined],
    ['what only looks like a challenge moves', [toHttps], { isSecure: false, path: '/.well-known/acme-challengex' }, 308],
    ['the first that applies', [toHttps, always], { isSecure: false }, 308],
    ['the next otherwise', [toHttps, always], {}, 301, 'https://new.example/'],
  ])('%s', (_title, redirects, given, status, location) => {
    const answer = compileRedirects(redirects)(request(given))
    expect(answer?.status).toBe(status)
    if (location !== undefined) expect(answer?.fields).toBe(`Location: ${location}\r\n`)
  })
})

describe('the path that the pod sees', () => {
  it.each<[Template, Partial<RequestView>, string]>([
    [['/new'], { path: '/old', query: '?a=1' }, '/new?a=1'],
    [['/', { of: 'capture', index: 2 }], { captures: ['', '', 'a/b'], query: '?q' }, '/a/b?q'],
    [['/', { of: 'capture', index: 1 }], { captures: ['', '/a'] }, '/a'],
    [['/new?x=1'], { query: '?a=1' }, '/new?x=1&a=1'],
    [['/new?x=1'], {}, '/new?x=1'],
    [['/new?a=', { of: 'argument', name: 'a' }], { query: '?a=1' }, '/new?a=1&a=1'],
    [['/p', { of: 'requestUri' }], { path: '/a', query: '?b' }, '/p/a?b'],
    [['/y/', { of: 'capture', index: 1 }], { captures: ['', '../secret'] }, '/y/secret'],
    [['/y/', { of: 'capture', index: 1 }], { captures: ['', 'a/%2e%2E/./b/..'] }, '/y/a/b/'],
    [['/y', { of: 'capture', index: 1 }], { captures: ['', '?admin=1#x'] }, '/y%3Fadmin=1%23x'],
    [[{ of: 'capture', index: 1 }], { captures: ['', ''] }, '/'],
    [[{ of: 'capture', index: 1 }], { captures: undefined }, '/'],
    [['/a b\u00fc'], {}, '/a%20b%C3%BC'],
  ])('%j of %j is %s', (template, given, path) => {
    expect(rewriteText(template)(request(given))).toBe(path)
  })

  it('has no dot element, no line break and one question mark that counts', () => {
    const bytes = fc.string({
      unit: fc.constantFrom('/', '.', '%2e', '%2E', 'a', '?', '#', '\\', ' ', '\r', '\n'),
      maxLength: 12,
    })
    fc.assert(
      fc.property(bytes, bytes, (first, second) => {
        const path = rewriteText(['/base', capture, header])(request({ captures: ['', first], fields: { h: second } }))
        expect(path).toMatch(/^\/[\x21-\x7e]*$/)
        expect(path).not.toMatch(/[?#\\]/)
        expect(path.split('/')).not.toContain('..')
        expect(path.split('/').some((element) => /^(?:\.|%2e){1,2}$/i.test(element))).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})
