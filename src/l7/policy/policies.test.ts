import { createHash } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { realClock } from '../../base/index.ts'
import type { RoutePolicy } from '../table/index.ts'
import type { Answer, CompiledPolicy, RequestView, Verdict } from './contract.ts'
import { createOutsideClient } from './outside/outside-client.ts'
import { Policies } from './policies.ts'
import { request } from './testing/request.ts'
import { startServer } from './testing/servers.ts'

const outside = createOutsideClient({ clock: realClock, allowedTargets: ['127.0.0.0/8'], deniedTargets: [] })
const policies = new Policies({ clock: realClock, workers: 1, outside, random: () => 0 })
const server = await startServer((question, response) => {
  response.writeHead(question.headers['x-api-key'] === 'good' ? 200 : 403, { 'X-User': 'ann', 'Set-Cookie': 'seen=1' }).end()
})
afterAll(async () => {
  await policies.close()
  await outside.close()
  await server.close()
})

let keys = 0
const compile = (policy: RoutePolicy): CompiledPolicy => policies.of(policy)
const users = new Map([['ann', `{SHA}${createHash('sha1').update('secret').digest('base64')}`]])
const basicAuth = { realm: 'shop', users }
const externalAuth = {
  target: { scheme: 'http', host: '127.0.0.1', port: server.port },
  path: ['/'],
  method: 'GET',
  responseFields: ['x-user'],
  timeoutMs: 5_000,
} as const
const deny = { deny: ['192.0.2.0/24'] }
const allow = { allow: ['192.0.2.0/24'] }
const cors = { origins: ['*'], methods: 'GET', headers: 'X-A', allowCredentials: false, maxAgeSeconds: 1 }
const tight = () => ({ key: `k${keys++}`, requestsPerSecond: 1, burstMultiplier: 0, status: 429 })
const to = { status: 302, when: 'always', to: ['/elsewhere'] } as const
const credentials = `Basic ${Buffer.from('ann:secret').toString('base64')}`
const preflight = request({ method: 'OPTIONS', fields: { origin: 'https://a.example' } })

describe('the order of a policy', () => {
  const refusal = { status: 503, reason: 'auth-secret-missing' }
  it.each<[string, RoutePolicy, RequestView, string | undefined]>([
    ['nothing', {}, request(), undefined],
    ['a refusal is first', { refusal, redirects: [to], access: deny }, request(), 'auth-secret-missing'],
    ['redirects before access', { redirects: [to], access: deny }, request(), 'redirect'],
    ['access before CORS', { access: deny, cors }, preflight, 'address-denied'],
    ['a preflight needs no authentication', { cors, basicAuth, externalAuth }, preflight, 'cors-preflight'],
    ['a preflight is not limited', { cors, limits: { ...tight(), status: 503 } }, preflight, 'cors-preflight'],
    ['limits, then the fixed answer', { limits: tight(), answer: { status: 200, body: 'hi' } }, request(), 'fixed-answer'],
    ['a fixed answer waits for authentication', { basicAuth, answer: { status: 200, body: 'hi' } }, request(), undefined],
    ['access waits for authentication with satisfy any', { access: deny, basicAuth, satisfy: 'any' }, request(), undefined],
    ['satisfy any without authentication', { access: deny, satisfy: 'any' }, request(), 'address-denied'],
  ])('%s', (_title, policy, view, reason) => {
    expect(compile(policy).admit(view)?.reason).toBe(reason)
  })

  it('limits before it authenticates', () => {
    const policy = compile({ limits: tight(), basicAuth })
    expect(policy.admit(request())).toBeUndefined()
    expect(policy.admit(request())).toMatchObject({ status: 429, reason: 'rate-limited' })
  })

  it('does not count an answered request as one in progress', () => {
    const policy = compile({
      limits: { key: 'answered', connections: 1, burstMultiplier: 1, status: 503 },
      answer: { status: 204 },
    })
    for (let i = 0; i < 3; i++) expect(policy.admit(request())).toMatchObject({ status: 204, body: '', contentType: '' })
  })
})

describe('authentication', () => {
  const decide = async (policy: RoutePolicy, fields: Readonly<Record<string, string>>): Promise<Verdict> => {
    const compiled = compile(policy)
    const view = request({
      fields,
      fieldLines: Object.entries(fields)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join(''),
    })
    expect(compiled.admit(view)).toBeUndefined()
    return new Promise((resolve) => compiled.authorize?.(view, resolve))
  }
  const right = { authorization: credentials }
  const key = { 'x-api-key': 'good' }
  const user = 'X-User: ann\r\n'
  const passed = (remove: readonly string[], lines = '', responseFields = '') => ({
    requestFields: { remove, lines },
    responseFields,
    isForAnyStatus: false,
  })
  const cookie = 'Set-Cookie: seen=1\r\n'
  it.each<[string, RoutePolicy, Readonly<Record<string, string>>, object]>([
    ['basic keeps the credentials from the pod', { basicAuth }, right, passed(['authorization'])],
    ['basic refuses', { basicAuth }, {}, { answer: { status: 401 } }],
    ['external', { externalAuth }, key, passed(['x-user'], user, cookie)],
    ['external refuses', { externalAuth }, {}, { answer: { status: 403 } }],
    ['both must', { basicAuth, externalAuth }, { ...right, ...key }, passed(['x-user', 'authorization'], user, cookie)],
    ['both: not only basic', { basicAuth, externalAuth }, right, { answer: { status: 403 } }],
    ['both: not only external', { basicAuth, externalAuth }, key, { answer: { status: 401 } }],
    ['any: basic is enough', { basicAuth, externalAuth, satisfy: 'any' }, right, passed(['authorization'])],
    ['any: external is enough', { basicAuth, externalAuth, satisfy: 'any' }, key, passed(['x-user'], user, cookie)],
    ['any: neither', { basicAuth, externalAuth, satisfy: 'any' }, {}, { answer: { status: 403 } }],
    ['any: an allowed address', { access: allow, basicAuth, satisfy: 'any' }, {}, passed(['authorization'])],
    ['any: a denied address, but right', { access: deny, basicAuth, satisfy: 'any' }, right, passed(['authorization'])],
    ['any: a denied address', { access: deny, basicAuth, satisfy: 'any' }, {}, { answer: { status: 401 } }],
    [
      'any: not being denied is no pass',
      { access: { deny: ['10.0.0.0/8'] }, basicAuth, satisfy: 'any' },
      {},
      { answer: { status: 401 } },
    ],
    ['all: an allowed address is not enough', { access: allow, basicAuth }, {}, { answer: { status: 401 } }],
    [
      'the fixed answer behind it',
      { externalAuth, answer: { status: 200, body: 'hi' } },
      key,
      { answer: { status: 200, body: 'hi', fields: cookie } },
    ],
    ['no fixed answer for strangers', { externalAuth, answer: { status: 200, body: 'hi' } }, {}, { answer: { status: 403 } }],
  ])('%s', async (_title, policy, fields, verdict) => {
    expect(await decide(policy, fields)).toMatchObject(verdict)
  })

  it('calls nobody back after a cancel, whichever step it is in', async () => {
    const compiled = compile({ basicAuth, externalAuth })
    const view = request({ fields: { ...right, ...key } })
    let calls = 0
    const cancelled = compiled.authorize?.(view, () => calls++)
    cancelled?.()
    await new Promise<void>((resolve) => compiled.authorize?.(view, () => resolve()))
    const second = compiled.authorize?.(view, () => calls++)
    second?.()
    await new Promise<void>((resolve) => compiled.authorize?.(view, () => resolve()))
    expect(calls).toBe(0)
  })
})

describe('what is sent and answered', () => {
  const policy: RoutePolicy = {
    rewrite: ['/new'],
    upstreamHost: ['pod.internal'],
    hashBy: { key: [{ of: 'header', name: 'x-key' }] },
    mirror: { target: externalAuth.target, path: ['/m', { of: 'requestUri' }], host: 'mirror.example', withBody: true },
    canaries: [{ backend: 'canary', labels: {}, weight: 1 }],
    requestFields: { set: [['x-a', ['1']]] },
    responseFields: { add: [['x-b', ['2']]], statuses: [200] },
    cors,
    locationRewrite: { from: 'http://pod/', to: '/' },
    cookieRewrite: { path: [{ from: '/', to: '/x/' }] },
    sticky: { name: 'route', mode: 'balanced', path: '/' },
  }
  const compiled = compile(policy)
  const view = request({ path: '/old', query: '?q', fields: { 'x-key': 'k', cookie: 'route=ab' } })

  it('is what the policy says', () => {
    expect(compiled.rewrite?.(view)).toBe('/new?q')
    expect(compiled.upstreamHost?.(view)).toBe('pod.internal')
    expect(compiled.hashKey?.(view)).toBe('k')
    expect(compiled.mirror?.(view)).toEqual({
      target: externalAuth.target,
      path: '/m/old?q',
      host: 'mirror.example',
      withBody: true,
    })
    expect(compiled.canary?.(view)?.backend).toBe('canary')
    expect(compiled.sticky?.wanted(view)).toBe('ab')
    expect(compiled.editRequest?.('X-A: 0\r\n', view)).toBe('X-A: 1\r\n')
  })

  it("edits a pod's answer whole, and our own but for redirects and cookies", () => {
    const fields = 'Location: http://pod/a\r\nSet-Cookie: a=b; Path=/\r\n'
    const lines =
      'Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET\r\nAccess-Control-Allow-Headers: X-A\r\nAccess-Control-Max-Age: 1\r\n'
    expect(compiled.editResponse?.(fields, 200, view)).toBe(`Location: /a\r\nSet-Cookie: a=b; Path=/x/\r\nX-B: 2\r\n${lines}`)
    expect(compiled.editAnswer?.(fields, 404, view)).toBe(fields + lines)
  })

  it('has nothing to call for what the policy lacks', () => {
    expect(Object.keys(compile({ maxBodyBytes: 5 }))).toEqual(['policy', 'admit'])
  })

  it("keeps the client's Host when the setting joins to none", () => {
    const host = compile({ upstreamHost: [{ of: 'header', name: 'h' }] })
    for (const h of ['', 'a b', 'a\r\nX: y', 'ü']) expect(host.upstreamHost?.(request({ fields: { h } }))).toBe('shop.example')
  })
})

describe('Policies', () => {
  it('compiles a policy once', () => {
    const policy: RoutePolicy = { access: allow }
    expect(compile(policy)).toBe(compile(policy))
    expect(compile({ access: allow })).not.toBe(compile(policy))
  })

  it.each<[string, RoutePolicy]>([
    ['a CIDR that is none', { access: { deny: ['oops'] } }],
    ['a variable that is unknown', { rewrite: [{ of: 'unknown' } as never] }],
    ['a cookie name that is none', { sticky: { name: 'a b', mode: 'balanced', path: '/' } }],
  ])('lets nobody through with %s', (_title, policy) => {
    expect(compile(policy).admit(request())).toMatchObject({ status: 503, reason: 'policy-invalid' } satisfies Partial<Answer>)
  })
})
