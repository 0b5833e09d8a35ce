import http from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { Backend, RoutePolicy, Variable } from '../table/index.ts'
import { answeringPod, pods, type RawPod, rawClient, rawPod, startEngine } from '../testing/harness.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const pod = async (answer: string | ((head: string) => string)): Promise<RawPod> => {
  const made = await answeringPod(answer)
  cleanups.push(() => made.close())
  return made
}

const ok = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const status = (code: number, body = ''): string => `HTTP/1.1 ${code} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`

/** An engine whose only route has this policy. */
const engineWith = async (
  policy: RoutePolicy,
  backends: Readonly<Record<string, Backend>>,
  options: { readonly settings?: Partial<EngineSettings>; readonly path?: string } = {},
) => {
  const target = { backend: 'pods', labels: { ingress: 'shop/web', service: 'shop/web' }, policy }
  const route = {
    match: options.path === undefined ? ('prefix' as const) : ('regex' as const),
    path: options.path ?? '/',
    target,
  }
  const engine = await startEngine(
    [],
    { ejectAfterFailures: 0, ejectAfterRefused: 0, ejectRatio: 0, retriesPerSecond: 100, ...options.settings },
    {
      delta: { hosts: new Map([['', { paths: [route] }]]), backends: new Map(Object.entries(backends)) },
    },
  )
  cleanups.push(() => engine.stop())
  const send = async (text: string): Promise<string> => {
    const client = await rawClient(engine.port)
    client.send(text)
    return client.closed()
  }
  const get = (target: string, ...fields: readonly string[]): Promise<string> =>
    send([`GET ${target} HTTP/1.1`, 'Host: shop.example', 'Connection: close', ...fields, '', ''].join('\r\n'))
  return { engine, get, send }
}

const capture = (index: number): Variable => ({ of: 'capture', index })

describe('what a route says before a pod is asked', () => {
  it('a redirect', async () => {
    const { get } = await engineWith(
      { redirects: [{ status: 308, when: 'plain-http', to: ['https://', { of: 'host' }, { of: 'requestUri' }] }] },
      {},
    )
    expect(await get('/a?b=c')).toMatch(
      /^HTTP\/1\.1 308 Permanent Redirect\r\n[\s\S]*Location: https:\/\/shop\.example\/a\?b=c\r\n/,
    )
  })

  it('a refusal, whose pod is never asked', async () => {
    const asked = await pod(ok('x'))
    const { get } = await engineWith({ refusal: { status: 503, reason: 'auth-unreadable' } }, { pods: pods(asked.port) })
    expect(await get('/')).toMatch(/^HTTP\/1\.1 503 [\s\S]*X-Fairway-Reason: auth-unreadable/)
    expect(asked.received).toEqual([])
  })

  it('an access list', async () => {
    const { get } = await engineWith({ access: { allow: ['192.0.2.0/24'] } }, {})
    expect(await get('/')).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('a limit on the body, by its length and by its chunks', async () => {
    const { send } = await engineWith({ maxBodyBytes: 3 }, { pods: pods((await pod(ok('x'))).port) })
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
    expect(await send(`${head}Content-Length: 4\r\n\r\nabcd`)).toMatch(/^HTTP\/1\.1 413 /)
    expect(await send(`${head}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /)
    expect(await send(`${head}Connection: close\r\nContent-Length: 3\r\n\r\nabc`)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('a password', async () => {
    const users = new Map([['ann', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=']])
    const { get } = await engineWith({ basicAuth: { realm: 'shop', users } }, { pods: pods((await pod(ok('in'))).port) })
    expect(await get('/')).toMatch(/^HTTP\/1\.1 401 [\s\S]*WWW-Authenticate: Basic realm="shop"/i)
    const basic = Buffer.from('ann:password').toString('base64')
    expect(await get('/', `Authorization: Basic ${basic}`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*in$/)
    expect(await get('/', `Authorization: Basic ${Buffer.from('ann:other').toString('base64')}`)).toMatch(/^HTTP\/1\.1 401 /)
  })

  it('a service that is asked first; its fields reach the pod, and never the client’s own spelling of them', async () => {
    const asked: string[] = []
    const auth = http.createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['x-original-url']}`)
      response.writeHead(request.headers.authorization === 'let me' ? 200 : 401, { 'X-User': 'ann' }).end()
    })
    await new Promise<void>((resolve) => auth.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => auth.close())
    const address = auth.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const behind = await pod(ok('in'))
    const externalAuth = {
      target: { scheme: 'http' as const, host: '127.0.0.1', port },
      path: ['/check'],
      method: 'GET',
      responseFields: ['x-user'],
      timeoutMs: 2_000,
    }
    const settings = { allowedTargets: ['127.0.0.0/8'] }
    const { get, send } = await engineWith({ externalAuth }, { pods: pods(behind.port) }, { settings })
    expect(await get('/secret')).toMatch(/^HTTP\/1\.1 401 /)
    expect(behind.received).toEqual([])
    expect(await get('/secret', 'Authorization: let me', 'X-User: mallory')).toMatch(/^HTTP\/1\.1 200 [\s\S]*in$/)
    expect(behind.received[0]).toMatch(/x-user: ann/i)
    expect(behind.received[0]).not.toContain('mallory')
    expect(asked[0]).toBe('GET /check http://shop.example/secret')
    const body = 'b'.repeat(200_000)
    const posted = await send(
      `POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: let me\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(posted).toMatch(/^HTTP\/1\.1 200 /)
    expect(behind.received.at(-1)?.endsWith(body)).toBe(true)
  })

  it('nobody gets through when that service is not to be reached', async () => {
    const behind = await pod(ok('in'))
    const externalAuth = {
      target: { scheme: 'http' as const, host: '127.0.0.1', port: 9 },
      path: ['/'],
      method: 'GET',
      responseFields: [],
      timeoutMs: 500,
    }
    const { get } = await engineWith({ externalAuth }, { pods: pods(behind.port) })
    expect(await get('/')).toMatch(/^HTTP\/1\.1 500 /)
    expect(behind.received).toEqual([])
  })
})

describe('what a route makes of the request', () => {
  it('another path by the captures of its expression, another host, other fields', async () => {
    const behind = await pod(ok('x'))
    const policy: RoutePolicy = {
      rewrite: ['/', capture(2)],
      upstreamHost: ['inner.example'],
      requestFields: { set: [['x-team', ['shop-', capture(1)]]], remove: ['x-debug'] },
    }
    const { get } = await engineWith(policy, { pods: pods(behind.port) }, { path: '/api/(v[0-9]+)(?:/|$)(.*)' })
    await get('/API/v2/items?q=1', 'X-Debug: 1', 'X-Team: none')
    const [head = ''] = behind.received
    expect(head).toMatch(/^GET \/items\?q=1 HTTP\/1\.1\r\nHost: inner\.example\r\n/)
    expect(head).toMatch(/x-team: shop-v2\r\n/i)
    expect(head).not.toMatch(/x-debug|none/i)
  })

  it('a canary by its field', async () => {
    const [main, canary] = [await pod(ok('main')), await pod(ok('canary'))]
    const { get } = await engineWith(
      { canaries: [{ backend: 'next', labels: {}, header: { name: 'x-canary' } }] },
      { pods: pods(main.port), next: pods(canary.port) },
    )
    expect(await get('/', 'X-Canary: always')).toMatch(/canary$/)
    expect(await get('/', 'X-Canary: never')).toMatch(/main$/)
  })

  it.each(['persistent', 'balanced'] as const)('a cookie keeps a client at one pod, %s', async (mode) => {
    const [a, b] = [await pod(ok('a')), await pod(ok('b'))]
    const sticky = { name: 'route', mode, path: '/' }
    const { get } = await engineWith({ sticky }, { pods: pods(a.port, b.port) })
    const first = await get('/')
    const cookie = /^Set-Cookie: (route=[^;]+)/im.exec(first)?.[1] ?? ''
    expect(cookie).toMatch(/^route=[0-9a-f]+$/)
    const name = first.at(-1)
    for (let i = 0; i < 6; i++) {
      const next = await get('/', `Cookie: ${cookie}`)
      expect(next.at(-1)).toBe(name)
      expect(next).not.toMatch(/^Set-Cookie:/im)
    }
  })
})

describe('what a route makes of the answer', () => {
  it('other fields, also on the engine’s own answers', async () => {
    const policy: RoutePolicy = { responseFields: { set: [['x-frame-options', ['DENY']]], remove: ['server'] } }
    const { get } = await engineWith(policy, {
      pods: pods((await pod('HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n')).port),
    })
    const text = await get('/')
    expect(text).toMatch(/^x-frame-options: DENY\r$/im)
    expect(text).not.toMatch(/^Server:/im)
  })

  it('another page for an error, which is told what happened', async () => {
    const [main, page] = [
      await pod((head) => (head.includes('/ok') ? ok('fine') : status(500, 'broken'))),
      await pod(status(500, 'sorry')),
    ]
    const labels = { namespace: 'shop', service: 'web' }
    const { get } = await engineWith(
      { errorPages: { statuses: [500, 503], backend: 'errors', labels } },
      { pods: pods(main.port), errors: pods(page.port) },
    )
    expect(await get('/a?b')).toMatch(/^HTTP\/1\.1 500 [\s\S]*sorry$/)
    expect(page.received[0]).toMatch(
      /^GET \/ HTTP\/1\.1\r\n[\s\S]*X-Code: 500\r\n[\s\S]*X-Original-URI: \/a\?b\r\n[\s\S]*X-Namespace: shop\r\n/,
    )
    expect(await get('/ok')).toMatch(/fine$/)
  })

  it('the page also when there is no pod at all', async () => {
    const page = await pod(status(503, 'closed'))
    const { get } = await engineWith(
      { errorPages: { statuses: [503], backend: 'errors', labels: {} } },
      { pods: { endpoints: [] }, errors: pods(page.port) },
    )
    expect(await get('/')).toMatch(/^HTTP\/1\.1 503 [\s\S]*closed$/)
  })
})

describe('tries', () => {
  const retry = { on: ['error' as const, 503], tries: 3, timeoutMs: 0 }

  it('another pod after a status that the route names', async () => {
    const [bad, good] = [await pod(status(503)), await pod(ok('good'))]
    const { get, engine } = await engineWith({ retry }, { pods: pods(bad.port, good.port) })
    for (let i = 0; i < 4; i++) expect(await get('/')).toMatch(/^HTTP\/1\.1 200 [\s\S]*good$/)
    expect(engine.dataPlane.snapshot().retries).toBeGreaterThan(0)
  })

  it('the last pod’s own answer when all give it', async () => {
    const [a, b] = [await pod(status(503, 'a')), await pod(status(503, 'b'))]
    const { get } = await engineWith({ retry }, { pods: pods(a.port, b.port) })
    expect(await get('/')).toMatch(/^HTTP\/1\.1 503 X\r\n[\s\S]*[ab]$/)
  })

  it('never a POST again, unless its route says so; then with its body', async () => {
    const bad = await rawPod((socket) => socket.destroy())
    cleanups.push(() => bad.close())
    const good = await pod(ok('good'))
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello'
    const once = await engineWith({ retry }, { pods: pods(bad.port, good.port) })
    const answers = [await once.send(post), await once.send(post)]
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 502'))).toHaveLength(1)
    const again = await engineWith(
      { bufferRequest: true, retry: { ...retry, on: [...retry.on, 'non-idempotent'] } },
      { pods: pods(bad.port, good.port) },
    )
    for (let i = 0; i < 2; i++) expect(await again.send(post)).toMatch(/^HTTP\/1\.1 200 [\s\S]*good$/)
    expect(good.received.filter((text) => text.endsWith('hello')).length).toBeGreaterThanOrEqual(2)
  })
})

describe('a mirror', () => {
  it('gets a copy with the body; the answer does not wait for it', async () => {
    const copies: string[] = []
    const mirrored = new Promise<void>((resolve) => {
      const server = http.createServer((request, response) => {
        let body = ''
        request.on('data', (piece) => {
          body += piece
        })
        request.on('end', () => {
          copies.push(`${request.method} ${request.url} ${body}`)
          response.end()
          resolve()
        })
      })
      cleanups.push(() => server.close())
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        ready(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    let ready = (_port: number): void => {}
    const port = await new Promise<number>((resolve) => {
      ready = resolve
    })
    const mirror = {
      target: { scheme: 'http' as const, host: '127.0.0.1', port },
      path: [{ of: 'requestUri' as const }],
      withBody: true,
    }
    const { send } = await engineWith(
      { mirror },
      { pods: pods((await pod(ok('x'))).port) },
      { settings: { allowedTargets: ['127.0.0.1/32'] } },
    )
    expect(await send('POST /a?b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello')).toMatch(
      /^HTTP\/1\.1 200 /,
    )
    await mirrored
    expect(copies).toEqual(['POST /a?b hello'])
  })
})
