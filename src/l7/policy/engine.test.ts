import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PathRoute, RoutePolicy } from '../table/index.ts'
import { answeringPod, type RawPod, rawClient, rawPod, startEngine } from '../testing/harness.ts'
import { startServer, type TestServer } from './testing/servers.ts'

/** Policies in the whole engine, seen by curl and by a pod. */
const hasCurl = spawnSync('curl', ['--version']).status === 0
const run = promisify(execFile)
const users = new Map([['ann', `{SHA}${createHash('sha1').update('secret').digest('base64')}`]])

describe.skipIf(!hasCurl)('policies in the engine (skipped where there is no curl)', () => {
  let pod: RawPod
  let hanging: RawPod
  let service: TestServer
  let engine: Awaited<ReturnType<typeof startEngine>>
  const mirrored: string[] = []

  beforeAll(async () => {
    pod = await answeringPod((head) => {
      const body = head.replaceAll('\r\n', '\n')
      return `HTTP/1.1 200 OK\r\nX-Old: 1\r\nLocation: http://pod/a\r\nSet-Cookie: p=1; Path=/\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    })
    hanging = await rawPod(() => {})
    service = await startServer((question, response) => {
      if (question.url?.startsWith('/mirror') === true)
        mirrored.push(`${question.method} ${question.url} ${question.headers.host}`)
      const isKnown = question.headers['x-api-key'] === 'good'
      response.writeHead(isKnown ? 200 : 401, { 'X-User': 'ann', 'Set-Cookie': 'auth=1' }).end()
    })
    const target = { scheme: 'http', host: '127.0.0.1', port: service.port } as const
    const externalAuth = { target, path: ['/auth'], method: 'GET', responseFields: ['x-user'], timeoutMs: 5_000 }
    const policies: Readonly<Record<string, RoutePolicy>> = {
      '/basic': { basicAuth: { realm: 'shop', users } },
      '/external': { externalAuth },
      '/signin': { externalAuth: { ...externalAuth, signin: ['/login?rd=', { of: 'escapedRequestUri' }] } },
      '/metadata': { externalAuth: { ...externalAuth, target: { scheme: 'http', host: '169.254.169.254', port: 80 } } },
      '/https': { redirects: [{ status: 308, when: 'plain-http', to: ['https://', { of: 'host' }, { of: 'requestUri' }] }] },
      '/denied': { access: { deny: ['127.0.0.0/8'] } },
      '/cors': {
        cors: { origins: ['https://*.a.example'], methods: 'GET', headers: 'X-A', allowCredentials: true, maxAgeSeconds: 5 },
      },
      '/limited': { limits: { key: 'l', requestsPerMinute: 1, burstMultiplier: 2, status: 429 } },
      '/edited': {
        rewrite: ['/new?x=1'],
        upstreamHost: ['pod.internal'],
        requestFields: { set: [['x-team', ['blue']]], remove: ['x-secret'] },
        responseFields: { set: [['x-new', ['1']]], remove: ['x-old'] },
        locationRewrite: { from: 'http://pod/', to: '/' },
        cookieRewrite: { path: [{ from: '/', to: '/edited' }] },
      },
      '/fixed': { answer: { status: 418, body: 'short and stout', contentType: 'text/teapot' } },
      '/guarded': { basicAuth: { realm: 'shop', users }, answer: { status: 200, body: 'inside' } },
      '/mirror': { mirror: { target, path: ['/mirror', { of: 'path' }], host: 'mirror.example', withBody: false } },
      '/sticky': { sticky: { name: 'route', mode: 'persistent', path: '/sticky', sameSite: 'Lax' } },
      '/invalid': { access: { allow: ['oops'] } },
    }
    const paths = Object.entries(policies).map(
      ([path, policy]): PathRoute => ({ match: 'prefix', path, target: { backend: 'pods', labels: {}, policy } }),
    )
    const few: RoutePolicy = { limits: { key: 'c', connections: 2, burstMultiplier: 1, status: 503 } }
    paths.push({ match: 'prefix', path: '/few', target: { backend: 'hanging', labels: {}, policy: few } })
    engine = await startEngine(
      [pod.port],
      { allowedTargets: ['127.0.0.0/8'] },
      {
        delta: {
          hosts: new Map([['', { paths }]]),
          backends: new Map([['hanging', { endpoints: [{ address: '127.0.0.1', port: hanging.port }] }]]),
        },
      },
    )
  })
  afterAll(async () => {
    await engine.stop()
    pod.close()
    hanging.close()
    await service.close()
  })

  const curl = async (path: string, ...options: string[]): Promise<string> =>
    (await run('curl', ['-si', '--max-time', '10', ...options, `http://127.0.0.1:${engine.port}${path}`])).stdout

  it.each<[string, readonly string[], readonly RegExp[]]>([
    [
      '/basic',
      [],
      [/^HTTP\/1.1 401 /, /^WWW-Authenticate: Basic realm="shop"\r$/m, /^X-Fairway-Reason: authentication-required\r$/m],
    ],
    ['/basic', ['-u', 'ann:wrong'], [/^HTTP\/1.1 401 /]],
    ['/basic', ['-u', 'ann:secret'], [/^HTTP\/1.1 200 /, /^(?![\s\S]*^Authorization:)/m]],
    ['/external', [], [/^HTTP\/1.1 401 /, /^X-Fairway-Reason: external-auth-required\r$/m]],
    [
      '/external',
      ['-H', 'X-Api-Key: good', '-H', 'X_User: eve', '-H', 'x-user: eve'],
      [/^HTTP\/1.1 200 /, /^X-User: ann$/m, /^(?![\s\S]*eve)/, /^Set-Cookie: auth=1\r$/m],
    ],
    ['/signin?a=b', [], [/^HTTP\/1.1 302 /, /^Location: \/login\?rd=%2Fsignin%3Fa%3Db\r$/m, /^Set-Cookie: auth=1\r$/m]],
    ['/metadata', [], [/^HTTP\/1.1 500 /, /^X-Fairway-Reason: external-auth-target-refused\r$/m]],
    ['/https/a?b', ['-H', 'Host: shop.example'], [/^HTTP\/1.1 308 /, /^Location: https:\/\/shop.example\/https\/a\?b\r$/m]],
    ['/denied', [], [/^HTTP\/1.1 403 /, /^X-Fairway-Reason: address-denied\r$/m]],
    [
      '/cors',
      ['-X', 'OPTIONS', '-H', 'Origin: https://x.a.example'],
      [/^HTTP\/1.1 204 /, /^Access-Control-Allow-Origin: https:\/\/x.a.example\r$/m],
    ],
    [
      '/cors',
      ['-H', 'Origin: https://x.a.example'],
      [/^HTTP\/1.1 200 /, /^Access-Control-Allow-Credentials: true\r$/m, /^Vary: Origin\r$/m],
    ],
    ['/cors', ['-X', 'OPTIONS', '-H', 'Origin: https://evil.example'], [/^HTTP\/1.1 200 /, /^(?![\s\S]*Access-Control)/]],
    [
      '/edited/a?b=c',
      ['-H', 'X-Secret: 1', '-H', 'X-Team: red'],
      [
        /^GET \/new\?x=1&b=c HTTP\/1.1$/m,
        /^Host: pod.internal$/m,
        /^X-Team: blue$/m,
        /^(?![\s\S]*X-Secret)/,
        /^(?![\s\S]*X-Old)/,
        /^X-New: 1\r$/m,
        /^Location: \/a\r$/m,
        /^Set-Cookie: p=1; Path=\/edited\r$/m,
      ],
    ],
    ['/fixed', [], [/^HTTP\/1.1 418 /, /^Content-Type: text\/teapot\r$/m, /\r\n\r\nshort and stout$/]],
    ['/fixed', ['-I'], [/^HTTP\/1.1 418 /, /^Content-Length: 15\r$/m, /\r\n\r\n$/]],
    ['/guarded', [], [/^HTTP\/1.1 401 /, /^(?![\s\S]*inside)/]],
    ['/guarded', ['-u', 'ann:secret'], [/^HTTP\/1.1 200 /, /inside$/]],
    ['/sticky', [], [/^HTTP\/1.1 200 /, /^Set-Cookie: route=[0-9a-f]+; Path=\/sticky; HttpOnly; SameSite=Lax\r$/m]],
    ['/invalid', [], [/^HTTP\/1.1 503 /, /^X-Fairway-Reason: policy-invalid\r$/m]],
  ])('%s %j', async (path, options, expected) => {
    const answer = await curl(path, ...options)
    for (const pattern of expected) expect(answer).toMatch(pattern)
  })

  it('limits a client', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => curl('/limited')))
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 200 '))).toHaveLength(3)
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 429 '))).toHaveLength(3)
  })

  it('counts requests in progress, and no more when their clients are gone', async () => {
    const get = 'GET /few HTTP/1.1\r\nHost: a\r\n\r\n'
    const clients = [await rawClient(engine.port), await rawClient(engine.port)]
    for (const client of clients) client.send(get)
    await hanging.accepted(2)
    expect(await curl('/few')).toMatch(/^HTTP\/1.1 503 [\s\S]*too-many-connections/)
    const gone = hanging.sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const client of clients) client.socket.resetAndDestroy()
    for (const socket of hanging.sockets) socket.on('end', () => socket.end())
    await Promise.all(gone)
    const next = await rawClient(engine.port)
    next.send(get)
    await hanging.accepted(3)
    next.socket.destroy()
  })

  it('mirrors', async () => {
    expect(await curl('/mirror/a')).toMatch(/^HTTP\/1.1 200 /)
    await expect.poll(() => mirrored).toEqual(['GET /mirror/mirror/a mirror.example'])
  })

  it('takes no header injection from a target', async () => {
    for (const path of ['/https/%0d%0aSet-Cookie:x=y', '/https//evil.example/..', '/signin/%0d%0aX:y']) {
      const answer = await curl(path, '--path-as-is', '-H', 'Host: shop.example')
      expect(answer).not.toMatch(/^(?:Set-Cookie:x|X:y)/m)
      expect(/^Location: (.*)\r$/m.exec(answer)?.[1]).toMatch(/^(?:https:\/\/shop\.example\/|\/login)/)
    }
  })
})
