import type http from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { realClock } from '../../../base/index.ts'
import type { ExternalAuth } from '../../table/index.ts'
import type { RequestView, Verdict } from '../contract.ts'
import { createOutsideClient } from '../outside/outside-client.ts'
import { request } from '../testing/request.ts'
import { startServer } from '../testing/servers.ts'
import { compileExternalAuth } from './external-auth.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Asked {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: http.IncomingHttpHeaders
}

/** A route guarded by a real service that answers with `answer`. */
const guarded = async (answer: http.RequestListener, more: Partial<ExternalAuth> = {}) => {
  const asked: Asked[] = []
  const server = await startServer((question, response) => {
    asked.push({ method: question.method, url: question.url, headers: question.headers })
    answer(question, response)
  })
  const outside = createOutsideClient({ clock: realClock, allowedTargets: ['127.0.0.0/8'], deniedTargets: [] })
  closing.push(
    () => outside.close(),
    () => server.close(),
  )
  let nowMs = 0
  const auth: ExternalAuth = {
    target: { scheme: 'http', host: '127.0.0.1', port: server.port },
    path: ['/check'],
    method: 'GET',
    responseFields: [],
    timeoutMs: 5_000,
    ...more,
  }
  const authorize = compileExternalAuth(auth, { outside, monotonic: () => nowMs })
  return {
    asked,
    port: server.port,
    wait: (ms: number) => {
      nowMs += ms
    },
    ask: (view: RequestView): Promise<Verdict> => new Promise((resolve) => authorize(view, resolve)),
  }
}
const answers =
  (status: number, fields: readonly string[] = []): http.RequestListener =>
  (_question, response) =>
    response.writeHead(status, [...fields]).end('a body that nobody sees')
const view = request({
  method: 'POST',
  authority: 'shop.example:8443',
  path: '/cart',
  query: '?a=1',
  fields: { cookie: 'sid=1', authorization: 'Bearer x' },
})

describe('the question', () => {
  it('says what ingress-nginx says, without a body', async () => {
    const route = await guarded(answers(200))
    await route.ask(view)
    expect(route.asked).toEqual([
      {
        method: 'GET',
        url: '/check',
        headers: {
          host: `127.0.0.1:${route.port}`,
          connection: 'keep-alive',
          authorization: 'Bearer x',
          cookie: 'sid=1',
          'x-original-url': 'https://shop.example:8443/cart?a=1',
          'x-original-method': 'POST',
          'x-original-uri': '/cart?a=1',
          'x-scheme': 'https',
          'x-sent-from': 'fairway',
          'x-real-ip': '192.0.2.7',
          'x-forwarded-for': '192.0.2.7',
          'x-forwarded-proto': 'https',
          'x-forwarded-host': 'shop.example:8443',
          'x-auth-request-redirect': '/cart?a=1',
          'x-request-id': '00ff',
        },
      },
    ])
  })

  it("passes on the client's fields, but not those that only we may say or that would change the question", async () => {
    const route = await guarded(answers(200), {
      requestFields: { set: [['x-auth-request-redirect', ['/home']]], remove: ['x-b'] },
    })
    const fieldLines =
      'X-Api-Key: k\r\nX-B: 1\r\nX-Original-URL: /admin\r\nx_forwarded_for: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nIf-None-Match: "x"\r\nExpect: x\r\n'
    await route.ask({ ...view, field: view.field, fieldLines })
    const headers = route.asked[0]?.headers
    expect(headers).toMatchObject({
      'x-api-key': 'k',
      'x-original-url': 'https://shop.example:8443/cart?a=1',
      'x-real-ip': '192.0.2.7',
    })
    expect(headers).toMatchObject({ 'x-auth-request-redirect': '/home', 'x-forwarded-for': '192.0.2.7' })
    for (const name of ['x-b', 'x_forwarded_for', 'if-none-match', 'expect', 'content-length'])
      expect(headers).not.toHaveProperty(name)
  })

  it('has the method and the path of the setting', async () => {
    const route = await guarded(answers(200), { method: 'POST', path: ['/check?uri=', { of: 'escapedRequestUri' }] })
    await route.ask(view)
    expect(route.asked[0]).toMatchObject({ method: 'POST', url: '/check?uri=%2Fcart%3Fa%3D1' })
  })
})

describe('the verdict', () => {
  it("lets through with the service's fields instead of the client's", async () => {
    const route = await guarded(
      answers(204, ['X-User', 'ann', 'X-Groups', 'a', 'X-Groups', 'b', 'X-Other', '1', 'Set-Cookie', 'sid=2']),
      {
        responseFields: ['x-user', 'x-groups', 'x-absent', 'content-length'],
      },
    )
    expect(await route.ask(view)).toEqual({
      requestFields: { remove: ['x-user', 'x-groups', 'x-absent'], lines: 'X-User: ann\r\nX-Groups: a, b\r\n' },
      responseFields: 'Set-Cookie: sid=2\r\n',
      isForAnyStatus: false,
    })
  })

  const signin: ExternalAuth['signin'] = ['https://login.example/start?rd=', { of: 'escapedUrl' }]
  it.each<[string, http.RequestListener, Partial<ExternalAuth>, number, string, string]>([
    ['401', answers(401, ['WWW-Authenticate', 'Bearer']), {}, 401, 'external-auth-required', 'Www-Authenticate: Bearer\r\n'],
    [
      '401 with a cookie',
      answers(401, ['Set-Cookie', 'a=b']),
      { alwaysSetCookie: true },
      401,
      'external-auth-required',
      'Set-Cookie: a=b\r\n',
    ],
    [
      '401 with a page to sign in',
      answers(401, ['Set-Cookie', 'a=b']),
      { signin },
      302,
      'external-auth-signin',
      'Location: https://login.example/start?rd=https%3A%2F%2Fshop.example%3A8443%2Fcart%3Fa%3D1\r\nSet-Cookie: a=b\r\n',
    ],
    ['403', answers(403), { signin }, 403, 'external-auth-forbidden', ''],
    ['a redirect', answers(302, ['Location', '/x']), { signin }, 500, 'external-auth-unexpected-status', ''],
    ['404', answers(404), {}, 500, 'external-auth-unexpected-status', ''],
    ['500', answers(500), {}, 500, 'external-auth-unexpected-status', ''],
    ['no answer', () => {}, { timeoutMs: 200 }, 500, 'external-auth-timeout', ''],
    ['a broken connection', (question) => question.socket.destroy(), {}, 500, 'external-auth-unreachable', ''],
    [
      'metadata',
      answers(200),
      { target: { scheme: 'http', host: '169.254.169.254', port: 80 } },
      500,
      'external-auth-target-refused',
      '',
    ],
  ])('%s', async (_title, answer, more, status, reason, fields) => {
    const route = await guarded(answer, more)
    expect(await route.ask(view)).toMatchObject({ answer: { status, reason, fields } })
  })
})

describe('kept judgements', () => {
  const cache: ExternalAuth['cache'] = {
    key: [{ of: 'header', name: 'authorization' }],
    durations: [{ statuses: [200, 401], ms: 1_000 }],
  }
  const of = (authorization: string): RequestView => request({ fields: { authorization } })

  it('answer for the same key until their time', async () => {
    const route = await guarded(answers(200, ['X-User', 'ann']), { cache, responseFields: ['x-user'] })
    for (let i = 0; i < 3; i++) expect(await route.ask(of('a'))).toMatchObject({ requestFields: { lines: 'X-User: ann\r\n' } })
    expect(route.asked).toHaveLength(1)
    await route.ask(of('b'))
    expect(route.asked).toHaveLength(2)
    route.wait(1_000)
    await route.ask(of('a'))
    expect(route.asked).toHaveLength(3)
  })

  it('have the sign-in page of each request', async () => {
    const route = await guarded(answers(401), { cache, signin: ['/login?rd=', { of: 'escapedRequestUri' }] })
    await route.ask(of('a'))
    const other = request({ path: '/b', fields: { authorization: 'a' } })
    expect(await route.ask(other)).toMatchObject({ answer: { fields: 'Location: /login?rd=%2Fb\r\n' } })
    expect(route.asked).toHaveLength(1)
  })

  it.each<[string, http.RequestListener]>([
    ['another status', answers(403)],
    ['a failure', answers(500)],
    ['an answer with a cookie', answers(200, ['Set-Cookie', 'a=b'])],
    ['an answer that says so', answers(200, ['Cache-Control', 'no-store'])],
  ])('are not made of %s', async (_title, answer) => {
    const route = await guarded(answer, { cache })
    await route.ask(of('a'))
    await route.ask(of('a'))
    expect(route.asked).toHaveLength(2)
  })
})
