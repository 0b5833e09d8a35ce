import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CorsPolicy } from '../table/index.ts'
import { compileCors } from './cors.ts'
import { request } from './testing/request.ts'

const nginxDefaults: CorsPolicy = {
  origins: ['*'],
  methods: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
  headers: 'DNT,Keep-Alive,User-Agent',
  allowCredentials: true,
  maxAgeSeconds: 1728000,
}
const from = (origin: string | undefined, method = 'GET') => request({ method, fields: origin === undefined ? {} : { origin } })
const allowed = (cors: CorsPolicy, origin: string | undefined): string | undefined =>
  /^Access-Control-Allow-Origin: (.*)$/m.exec(compileCors(cors).edit('', from(origin)))?.[1]

describe('CORS as ingress-nginx answers', () => {
  it('answers a preflight with 204 and all fields', () => {
    expect(compileCors({ ...nginxDefaults, exposeHeaders: 'X-A' }).preflight(from('https://a.example', 'OPTIONS'))).toEqual({
      status: 204,
      reason: 'cors-preflight',
      fields:
        'Access-Control-Allow-Origin: *\r\n' +
        'Access-Control-Allow-Credentials: true\r\n' +
        'Access-Control-Allow-Methods: GET, PUT, POST, DELETE, PATCH, OPTIONS\r\n' +
        'Access-Control-Allow-Headers: DNT,Keep-Alive,User-Agent\r\n' +
        'Access-Control-Expose-Headers: X-A\r\n' +
        'Access-Control-Max-Age: 1728000\r\n',
      body: '',
      contentType: 'text/plain charset=UTF-8',
    })
  })

  it.each<[string, readonly string[], string | undefined, string | undefined]>([
    ['any, without an Origin', ['*'], undefined, '*'],
    ['a listed one is echoed as it was sent', ['https://a.example'], 'https://A.example', 'https://A.example'],
    ['one of a list', ['https://a.example', 'https://b.example'], 'https://b.example', 'https://b.example'],
    ['the scheme counts', ['https://a.example'], 'http://a.example', undefined],
    ['the port counts', ['https://a.example'], 'https://a.example:8443', undefined],
    ['a longer one does not match', ['https://a.example'], 'https://a.example.evil', undefined],
    ['what ends with it does not match', ['https://a.example'], 'https://evila.example', undefined],
    ['no Origin', ['https://a.example'], undefined, undefined],
    ['a sub-domain', ['https://*.a.example'], 'https://x.a.example', 'https://x.a.example'],
    ['deeper sub-domains', ['https://*.a.example'], 'https://x.y.a.example', 'https://x.y.a.example'],
    ['not the domain itself', ['https://*.a.example'], 'https://a.example', undefined],
    ['not an empty label', ['https://*.a.example'], 'https://.a.example', undefined],
    ['with a port', ['http://*.a.example:8080'], 'http://x.a.example:8080', 'http://x.a.example:8080'],
    ['not another path of letters', ['https://*.a.example'], 'https://evil/x.a.example', undefined],
    ['not two origins in one field', ['https://*.a.example'], 'https://evil.example, https://x.a.example', undefined],
    ['null is none', ['https://a.example'], 'null', undefined],
  ])('%s', (_title, origins, origin, answer) => {
    expect(allowed({ ...nginxDefaults, origins }, origin)).toBe(answer)
  })

  it('leaves requests of other origins, and other methods, to the pod', () => {
    const cors = compileCors({ ...nginxDefaults, origins: ['https://a.example'] })
    expect(cors.preflight(from('https://evil.example', 'OPTIONS'))).toBeUndefined()
    expect(cors.preflight(from('https://a.example', 'GET'))).toBeUndefined()
    expect(cors.edit('X: 1\r\n', from('https://evil.example'))).toBe('X: 1\r\nVary: Origin\r\n')
  })

  it("replaces the pod's own fields", () => {
    const cors = compileCors({ ...nginxDefaults, allowCredentials: false })
    expect(
      cors.edit(
        'access-control-allow-origin: x\r\nAccess-Control-Allow-Credentials: true\r\nX: 1\r\n',
        from('https://a.example'),
      ),
    ).toBe(
      'X: 1\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET, PUT, POST, DELETE, PATCH, OPTIONS\r\n' +
        'Access-Control-Allow-Headers: DNT,Keep-Alive,User-Agent\r\nAccess-Control-Max-Age: 1728000\r\n',
    )
  })

  it('changes nothing when it is done twice', () => {
    const cors = compileCors({ ...nginxDefaults, origins: ['https://a.example'] })
    for (const origin of ['https://a.example', 'https://evil.example']) {
      const once = cors.edit('X: 1\r\nVary: Accept\r\n', from(origin))
      expect(once).toContain('Vary: Origin\r\n')
      expect(cors.edit(once, from(origin))).toBe(once)
    }
  })

  it('echoes only origins whose host is the domain or below it', () => {
    const cors = { ...nginxDefaults, origins: ['https://*.a.example'] }
    const piece = fc.constantFrom('https://', '.a.example', 'x', '.', '@', '/', ':1', ' ', '\t', '%', '#', '*', 'é', '-')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const origin = allowed(cors, pieces.join(''))
        if (origin === undefined) return
        expect(new URL(origin).hostname.endsWith('.a.example')).toBe(true)
        expect(new URL(origin).origin).toBe(origin.toLowerCase())
      }),
      { numRuns: 3000 },
    )
  })
})
