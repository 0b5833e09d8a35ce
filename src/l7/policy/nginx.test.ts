import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock } from '../../base/index.ts'
import type { RoutePolicy, Template } from '../table/index.ts'
import type { RequestView } from './contract.ts'
import { createOutsideClient } from './outside/outside-client.ts'
import { Policies } from './policies.ts'
import { request } from './testing/request.ts'
import { startServer, type TestServer } from './testing/servers.ts'

/** The same cases for a real nginx and for a policy that says the same. */
const hasNginx = spawnSync('nginx', ['-v']).status === 0

const users = new Map([
  ['apr1', '$apr1$saltsalt$57M75mtJHnRrcuily51CO0'],
  ['sha256', '$5$abcdefgh$hwZbjLXtCLokDdAWJ.eySnD9uv7h7aZhEpG5ehB5JoB'],
  ['sha512', '$6$abcdefghijklmnop$UpvLVfqykqSJ7Z4q16a1mTQKAnQ7Wq5XNXoEZXVCONegqxgO0W0YsqvX1PiceKSugcl6U8Jwq6Sp/UsEh6b/11'],
  ['bcrypt', '$2y$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e'],
  ['sha1', '{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI='],
])

const config = (port: number, pod: number): string => `
daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {}
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  limit_req_zone $binary_remote_addr zone=a:1m rate=6r/m;
  server {
    listen 127.0.0.1:${port};
    proxy_set_header Host $http_host;
    location /limited { limit_req zone=a burst=30 nodelay; proxy_pass http://127.0.0.1:${pod}; }
    location /cookies {
      proxy_pass http://127.0.0.1:${pod}; proxy_cookie_path /two/ /; proxy_cookie_path /one /1; proxy_cookie_domain pod.local shop.example;
      proxy_redirect http://pod/ https://shop.example/;
    }
    location /plain { rewrite ^/plain(.*)$ /new$1 break; proxy_pass http://127.0.0.1:${pod}; }
    location /args { rewrite ^/args(.*)$ /new$1?x=1 break; proxy_pass http://127.0.0.1:${pod}; }
    location /basic { auth_basic shop; auth_basic_user_file users; proxy_pass http://127.0.0.1:${pod}; }
    location /any-allowed { satisfy any; allow 127.0.0.0/8; deny all; auth_basic shop; auth_basic_user_file users; proxy_pass http://127.0.0.1:${pod}; }
    location /any-denied { satisfy any; deny 127.0.0.0/8; auth_basic shop; auth_basic_user_file users; proxy_pass http://127.0.0.1:${pod}; }
    location /any-unnamed { satisfy any; deny 10.0.0.0/8; auth_basic shop; auth_basic_user_file users; proxy_pass http://127.0.0.1:${pod}; }
    location /all-denied { deny 127.0.0.0/8; auth_basic shop; auth_basic_user_file users; proxy_pass http://127.0.0.1:${pod}; }
  }
}`

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** One request, or the same many times over one connection; everything that comes back. */
const exchange = (port: number, target: string, { fields = '', count = 1 } = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    const head = (last: boolean): string =>
      `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${fields}${last ? 'Connection: close\r\n' : ''}\r\n`
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.write(head(false).repeat(count - 1) + head(true))
  })

const started = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 200; tries++) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
    })
    if (isUp) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('nginx does not listen')
}

describe.skipIf(!hasNginx)('the same as nginx (skipped where there is no nginx)', () => {
  const outside = createOutsideClient({ clock: realClock, allowedTargets: [], deniedTargets: [] })
  const policies = new Policies({ clock: realClock, workers: 1, outside })
  let nginx: ChildProcess
  let pod: TestServer
  let port = 0
  let directory = ''

  beforeAll(async () => {
    // The pod answers with the field lines that the request asks for, and its body says what it saw.
    pod = await startServer((question, response) => {
      const lines = String(question.headers['x-answer'] ?? '')
      response.writeHead(200, lines === '' ? [] : lines.split('|').flatMap((line) => line.split('=>')))
      response.end(`saw ${question.url} ${question.headers.authorization ?? '-'}`)
    })
    directory = await mkdtemp(path.join(tmpdir(), 'nginx-policy-'))
    port = await freePort()
    await writeFile(path.join(directory, 'nginx.conf'), config(port, pod.port))
    await writeFile(path.join(directory, 'users'), [...users].map((pair) => `${pair.join(':')}\n`).join(''))
    nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf'], { stdio: 'ignore' })
    await started(port)
  })
  afterAll(async () => {
    nginx.kill('SIGTERM')
    await once(nginx, 'exit')
    await pod.close()
    await policies.close()
    await outside.close()
    await rm(directory, { recursive: true })
  })

  it('lets as many requests through at once', async () => {
    const answers = await exchange(port, '/limited', { count: 60 })
    const { admit } = policies.of({ limits: { key: 'n', requestsPerMinute: 6, burstMultiplier: 5, status: 503 } })
    const ours = Array.from({ length: 60 }, () => admit(request())).filter((answer) => answer === undefined).length
    expect(answers.match(/HTTP\/1.1 200/g)).toHaveLength(ours)
    expect(answers.match(/HTTP\/1.1 503/g)).toHaveLength(60 - ours)
  })

  const rewriting: RoutePolicy = {
    cookieRewrite: {
      path: [
        { from: '/two/', to: '/' },
        { from: '/one', to: '/1' },
      ],
      domain: [{ from: 'pod.local', to: 'shop.example' }],
    },
    locationRewrite: { from: 'http://pod/', to: 'https://shop.example/' },
  }
  it.each([
    'Set-Cookie=>a=b',
    'Set-Cookie=>a=b; Path=/two/x; Secure; HttpOnly',
    'Set-Cookie=>a=b; path=/two',
    'Set-Cookie=>a=b; Path=/one/two/; Domain=pod.local',
    'Set-Cookie=>a=b; Path=/TWO/',
    'Set-Cookie=>a=b; Domain=.pod.local; SameSite=Lax',
    'Set-Cookie=>a=b; domain=POD.LOCAL',
    'Set-Cookie=>a=b; Domain=x.pod.local',
    'Set-Cookie=>a=b; Path=/two/|Set-Cookie=>c=d; Path=/one',
    'Location=>http://pod/a?b',
    'Location=>http://POD/a',
    'Location=>http://podium/a',
    'Location=>/a',
    'Refresh=>5; url=http://pod/a',
    'Refresh=>5; URL=http://pod/a',
    'Refresh=>5',
  ])('rewrites %s', async (answer) => {
    const theirs = await exchange(port, '/cookies', { fields: `X-Answer: ${answer}\r\n` })
    const lines = theirs.split('\r\n').filter((line) => /^(?:set-cookie|location|refresh):/i.test(line))
    const fields = answer
      .split('|')
      .map((line) => `${line.replace('=>', ': ')}\r\n`)
      .join('')
    const ours = policies.of(rewriting).editResponse?.(fields, 200, request()) ?? ''
    expect(ours.trim().split('\r\n')).toEqual(lines)
  })

  it.each<[string, Template, string]>([
    ['/plain', ['/new', { of: 'capture', index: 1 }], '/plain'],
    ['/plain', ['/new', { of: 'capture', index: 1 }], '/plain/a/b'],
    ['/plain', ['/new', { of: 'capture', index: 1 }], '/plain/a?b=c&d'],
    ['/args', ['/new', { of: 'capture', index: 1 }, '?x=1'], '/args/a'],
    ['/args', ['/new', { of: 'capture', index: 1 }, '?x=1'], '/args/a?b=c&d'],
  ])('sends a pod of %s (%j) the same for %s', async (prefix, rewrite, target) => {
    const theirs = /saw (\S+)/.exec(await exchange(port, target))?.[1]
    const [ownPath = '', ...query] = target.split('?')
    const view = request({
      path: ownPath,
      query: query.length === 0 ? '' : `?${query.join('?')}`,
      captures: [ownPath, ownPath.slice(prefix.length)],
    })
    expect(policies.of({ rewrite }).rewrite?.(view)).toBe(theirs)
  })

  const decide = async (policy: RoutePolicy, view: RequestView): Promise<{ status: number; passesCredentials: boolean }> => {
    const { admit, authorize } = policies.of(policy)
    const answer = admit(view)
    if (answer !== undefined) return { status: answer.status, passesCredentials: false }
    if (authorize === undefined) return { status: 200, passesCredentials: true }
    return new Promise((resolve) =>
      authorize(view, (verdict) =>
        resolve(
          'answer' in verdict
            ? { status: verdict.answer.status, passesCredentials: false }
            : { status: 200, passesCredentials: !verdict.requestFields.remove.includes('authorization') },
        ),
      ),
    )
  }
  const basicAuth = { realm: 'shop', users }
  const places: Readonly<Record<string, RoutePolicy>> = {
    '/basic': { basicAuth },
    '/any-allowed': { basicAuth, satisfy: 'any', access: { allow: ['127.0.0.0/8'] } },
    '/any-denied': { basicAuth, satisfy: 'any', access: { deny: ['127.0.0.0/8'] } },
    '/any-unnamed': { basicAuth, satisfy: 'any', access: { deny: ['10.0.0.0/8'] } },
    '/all-denied': { basicAuth, access: { deny: ['127.0.0.0/8'] } },
  }
  const tries = [
    '',
    'apr1:pa:ss wörd',
    'sha256:pa:ss wörd',
    'sha512:pa:ss wörd',
    'bcrypt:x',
    'sha1:x',
    'apr1:x',
    'bcrypt:',
    'nobody:x',
    ':x',
    'apr1',
  ]
  it.each(Object.keys(places).flatMap((place) => tries.map((text) => [place, text] as const)))(
    '%s lets in %s',
    async (place, text) => {
      const authorization = `Basic ${Buffer.from(text).toString('base64')}`
      const theirs = await exchange(port, place, text === '' ? {} : { fields: `Authorization: ${authorization}\r\n` })
      const view = request({ clientAddress: '127.0.0.1', fields: text === '' ? {} : { authorization } })
      const { status } = await decide(places[place] ?? {}, view)
      expect(status).toBe(Number(/^HTTP\/1.1 (\d+)/.exec(theirs)?.[1]))
    },
  )
})
