import { describe, expect, it } from 'vitest'
import type { StickyCookie } from '../table/index.ts'
import { compileSticky } from './sticky.ts'
import { request } from './testing/request.ts'

const sticky: StickyCookie = { name: 'INGRESSCOOKIE', mode: 'balanced', path: '/' }
const now = () => Date.UTC(2026, 0, 1)
const compiled = (more: Partial<StickyCookie> = {}) => compileSticky({ ...sticky, ...more }, now)

describe('the endpoint that a cookie asks for', () => {
  it.each([
    ['INGRESSCOOKIE=0a1b2c', '0a1b2c'],
    ['a=b; INGRESSCOOKIE="0a1b2c"', '0a1b2c'],
    ['INGRESSCOOKIE=10.0.0.7:8080', undefined],
    ['INGRESSCOOKIE=', undefined],
    ['INGRESSCOOKIE=0A', undefined],
    [`INGRESSCOOKIE=${'a'.repeat(65)}`, undefined],
    ['INGRESSCOOKIE=../../x', undefined],
    ['other=0a1b2c', undefined],
  ])('%s asks for %s', (cookie, id) => {
    expect(compiled().wanted(request({ fields: { cookie } }))).toBe(id)
  })

  it('is none without a cookie', () => {
    expect(compiled().wanted(request())).toBeUndefined()
  })
})

describe('the sticky cookie', () => {
  it.each<[Partial<StickyCookie>, boolean, string]>([
    [{}, true, 'INGRESSCOOKIE=0a; Path=/; Secure; HttpOnly'],
    [{}, false, 'INGRESSCOOKIE=0a; Path=/; HttpOnly'],
    [{ secure: true }, false, 'INGRESSCOOKIE=0a; Path=/; Secure; HttpOnly'],
    [{ secure: false }, true, 'INGRESSCOOKIE=0a; Path=/; HttpOnly'],
    [
      { expiresSeconds: 3600, maxAgeSeconds: 60, domain: 'shop.example', path: '/a', sameSite: 'Lax' },
      true,
      'INGRESSCOOKIE=0a; Expires=Thu, 01 Jan 2026 01:00:00 GMT; Max-Age=60; Domain=shop.example; Path=/a; Secure; HttpOnly; SameSite=Lax',
    ],
    [{ sameSite: 'None' }, true, 'INGRESSCOOKIE=0a; Path=/; Secure; HttpOnly; SameSite=None'],
    [{ path: '/a;b\r\nX: y' }, false, 'INGRESSCOOKIE=0a; Path=/a%3BbX: y; HttpOnly'],
  ])('%j (secure: %s)', (more, isSecure, cookie) => {
    expect(compiled(more).cookie('0a', request({ isSecure }))).toBe(`Set-Cookie: ${cookie}\r\n`)
  })

  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605.1.15 (KHTML, like Gecko)'
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.103 Safari/537.36', false],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/66.0.1.1 Safari/537.36', false],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/67.0.1.1 Safari/537.36', true],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.1.1 Safari/537.36', true],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36', true],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 12_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1',
      false,
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 13_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Mobile/15E148 Safari/604.1',
      true,
    ],
    [`${mac} Version/12.1.2 Safari/605.1.15`, false],
    [mac, false],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.0.0 Safari/537.36',
      true,
    ],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.2 Safari/605.1.15',
      true,
    ],
    [
      'Mozilla/5.0 (Linux; U; Android 8.1.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/57.0.2987.108 UCBrowser/12.13.1.1189 Mobile',
      false,
    ],
    [
      'Mozilla/5.0 (Linux; U; Android 8.1.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/57.0.2987.108 UCBrowser/12.13.2.1189 Mobile',
      true,
    ],
    ['curl/8.0', true],
  ])('%s takes SameSite=None: %s', (agent, takes) => {
    const more = { sameSite: 'None', conditionalSameSiteNone: true } as const
    const cookie = compiled(more).cookie('0a', request({ fields: { 'user-agent': agent } }))
    expect(cookie.includes('SameSite=None')).toBe(takes)
  })
})
