import type http from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { realClock } from '../../../base/index.ts'
import { certificateFor } from '../../testing/certificates.ts'
import { startServer, type TestServer } from '../testing/servers.ts'
import type { OutsideClient, OutsideOutcome, OutsideRequest } from './contract.ts'
import { lazyOutsideClient } from './lazy-client.ts'
import { createOutsideClient, type OutsideClientOptions } from './outside-client.ts'
import { targetGuard } from './target-guard.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const serve = async (...[answer, certificate]: Parameters<typeof startServer>): Promise<TestServer> => {
  const server = await startServer(answer, certificate)
  closing.push(() => server.close())
  return server
}
const clientOf = (options: Partial<OutsideClientOptions> = {}): OutsideClient => {
  const client = createOutsideClient({ clock: realClock, allowedTargets: ['127.0.0.0/8'], deniedTargets: [], ...options })
  closing.unshift(() => client.close())
  return client
}
const requestTo = (port: number, more: Partial<OutsideRequest> = {}): OutsideRequest => ({
  target: { scheme: 'http', host: '127.0.0.1', port },
  method: 'GET',
  path: '/',
  fields: [],
  timeoutMs: 5_000,
  ...more,
})
const send = (client: OutsideClient, request: OutsideRequest): Promise<OutsideOutcome> =>
  new Promise((resolve) => client.send(request, resolve))
const resolvesTo =
  (...addresses: string[]): NonNullable<OutsideClientOptions['resolve']> =>
  (_name, done) =>
    done(null, addresses)

describe('targetGuard', () => {
  it.each([
    ['10.0.0.7', true],
    ['192.0.2.1', true],
    ['2001:db8::1', true],
    ['fd12::1', true],
    ['127.0.0.1', false],
    ['127.255.0.1', false],
    ['::1', false],
    ['::ffff:127.0.0.1', false],
    ['::127.0.0.1', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['0.0.0.0', false],
    ['0.1.2.3', false],
    ['::', false],
    ['169.254.169.254', false],
    ['::ffff:169.254.169.254', false],
    ['fe80::1', false],
    ['fe80::1%eth0', false],
    ['fd00:ec2::254', false],
    ['100.100.100.200', false],
    ['224.0.0.1', false],
    ['ff02::1', false],
    ['255.255.255.255', false],
    ['198.51.100.9', false],
    ['127.9.9.9', true],
    ['198.51.100.10', true],
    ['not an address', false],
    ['', false],
  ])('%s: %s', (address, mayReach) => {
    const guard = targetGuard({ deniedTargets: ['198.51.100.0/24'], allowedTargets: ['127.9.0.0/16', '198.51.100.10/32'] })
    expect(guard(address)).toBe(mayReach)
  })
})

describe('the outside client', () => {
  it('sends a request as it is told and gives the head of the answer', async () => {
    const seen: unknown[] = []
    const server = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers['host'], request.headers['x-a']])
      response.writeHead(401, ['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'X-Team', 'blue']).end('no')
    })
    const outcome = await send(clientOf(), requestTo(server.port, { path: '/a?b', host: 'auth.example', fields: [['X-A', '1']] }))
    expect(seen).toEqual([['GET', '/a?b', 'auth.example', '1']])
    expect(outcome).toMatchObject({ answer: { status: 401 } })
    const fields = 'answer' in outcome ? outcome.answer.fields : []
    expect(fields).toEqual(
      expect.arrayContaining([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-team', 'blue'],
      ]),
    )
  })

  it('keeps connections, and does not follow redirects', async () => {
    const server = await serve((_request, response) => response.writeHead(302, { Location: '/other' }).end())
    const client = clientOf()
    for (let i = 0; i < 3; i++) {
      expect(await send(client, requestTo(server.port))).toMatchObject({ answer: { status: 302 } })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(server.connections()).toBe(1)
  })

  it('sends a body', async () => {
    let received = ''
    const server = await serve((request, response) => {
      request.on('data', (piece) => (received += piece))
      request.on('end', () => response.end())
    })
    await send(clientOf(), requestTo(server.port, { method: 'POST', body: Buffer.from('hello') }))
    expect(received).toBe('hello')
  })

  it('connects over TLS to the address, with the name in SNI and certificate', async () => {
    const certificate = await certificateFor('auth.example')
    const server = await serve((_request, response) => response.writeHead(204).end(), certificate)
    const named = (host: string) => requestTo(server.port, { target: { scheme: 'https', host, port: server.port } })
    const client = clientOf({ resolve: resolvesTo('127.0.0.1'), ca: certificate.chain })
    expect(await send(client, named('auth.example'))).toMatchObject({ answer: { status: 204 } })
    expect(await send(client, named('other.example'))).toEqual({ failure: 'unreachable' })
    const stranger = clientOf({ resolve: resolvesTo('127.0.0.1') })
    expect(await send(stranger, named('auth.example'))).toEqual({ failure: 'unreachable' })
  })

  it('does not connect to a name that leads to a refused address, whatever it said before', async () => {
    const server = await serve((_request, response) => response.end())
    const answers = [['127.0.0.2'], ['127.0.0.1']]
    const client = clientOf({
      allowedTargets: ['127.0.0.2/32'],
      resolve: (_name, done) => done(null, answers.shift() ?? ['127.0.0.1']),
    })
    const request = requestTo(server.port, { target: { scheme: 'http', host: 'rebind.example', port: server.port } })
    expect(await send(client, request)).toMatchObject({ answer: { status: 200 } })
    // Another number of kept connections: a pool, so a connection and a look-up, of its own.
    expect(await send(client, { ...request, connections: 2 })).toEqual({ failure: 'target-refused' })
    expect(await send(client, requestTo(server.port))).toEqual({ failure: 'target-refused' })
    expect(server.connections()).toBe(1)
  })

  it('tries only the addresses that may be reached, one after another', async () => {
    const seen: (string | undefined)[] = []
    const server = await serve((request, response) => {
      seen.push(request.socket.localAddress)
      response.end()
    })
    const client = clientOf({
      allowedTargets: ['127.0.0.2/32', '127.0.0.3/32'],
      resolve: resolvesTo('127.0.0.1', '::1', '127.0.0.3'),
    })
    const target = { scheme: 'http', host: 'mixed.example', port: server.port } as const
    expect(await send(client, requestTo(server.port, { target }))).toMatchObject({ answer: { status: 200 } })
    expect(seen).toEqual(['127.0.0.3'])
  })

  it('repeats a request whose kept connection was closed before it was taken, once', async () => {
    let count = 0
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        count++
        if (count === 2) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as net.AddressInfo
    const client = clientOf()
    for (let i = 0; i < 2; i++) expect(await send(client, requestTo(port))).toMatchObject({ answer: { status: 200 } })
    expect(count).toBe(3)
  })

  it.each<[string, http.RequestListener, OutsideOutcome | object]>([
    [
      'a head that is too long',
      (_, response) => response.writeHead(200, { 'X-A': 'a'.repeat(20_000) }).end(),
      { failure: 'invalid' },
    ],
    ['a body that is too long', (_, response) => response.end('a'.repeat(2_000_000)), { answer: { status: 200 } }],
    ['no answer', () => {}, { failure: 'timeout' }],
    ['half a head', (request) => request.socket.write('HTTP/1.1 200 O'), { failure: 'timeout' }],
    ['a closed connection', (request) => request.socket.destroy(), { failure: 'unreachable' }],
    ['no HTTP', (request) => request.socket.end('hello\r\n\r\n'), { failure: 'invalid' }],
    [
      'length and chunked',
      (request) => request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
      { failure: 'invalid' },
    ],
  ])('%s', async (_title, answer, outcome) => {
    const server = await serve(answer)
    expect(await send(clientOf(), requestTo(server.port, { timeoutMs: 500 }))).toMatchObject(outcome)
  })

  it.each([
    ['a closed port', '127.0.0.1', 1, 'unreachable'],
    ['a name without an address', 'nobody.example', 80, 'unresolved'],
    ['metadata', '169.254.169.254', 80, 'target-refused'],
    ['loopback over IPv6', '::1', 80, 'target-refused'],
  ])('%s', async (_title, host, port, failure) => {
    const client = clientOf({ resolve: (_name, done) => done(new Error('ENOTFOUND'), []) })
    expect(await send(client, requestTo(port, { target: { scheme: 'http', host, port } }))).toEqual({ failure })
  })

  it('refuses a request that would break its own head', async () => {
    const server = await serve((_request, response) => response.end())
    expect(await send(clientOf(), requestTo(server.port, { fields: [['X', 'a\r\nY: b']] }))).toEqual({ failure: 'invalid' })
    expect(await send(clientOf(), requestTo(server.port, { path: '/a b\r\n' }))).toEqual({ failure: 'invalid' })
    expect(server.connections()).toBe(0)
  })

  it('never calls what was cancelled', async () => {
    let onRequest = (): void => {}
    const arrived = new Promise<void>((resolve) => {
      onRequest = resolve
    })
    const closed = new Promise<void>((resolve) => {
      void serve((request) => {
        onRequest()
        request.socket.on('close', () => resolve())
      }).then((server) => {
        const cancel = clientOf().send(requestTo(server.port), () => expect.unreachable())
        void arrived.then(cancel)
      })
    })
    await closed
  })
})

describe('the lazy client', () => {
  it('sends from the first request on, keeps its connections, and closes them', async () => {
    const server = await serve((_request, response) => response.end())
    const client = lazyOutsideClient({ clock: realClock, allowedTargets: ['127.0.0.0/8'], deniedTargets: [] })
    const outcomes = await Promise.all([send(client, requestTo(server.port)), send(client, requestTo(server.port))])
    expect(outcomes).toMatchObject([{ answer: { status: 200 } }, { answer: { status: 200 } }])
    expect(await send(client, requestTo(server.port))).toMatchObject({ answer: { status: 200 } })
    expect(server.connections()).toBe(2)
    await client.close()
  })

  it('does not send what was cancelled before it was ready, and closes unused', async () => {
    let requests = 0
    const server = await serve((_request, response) => {
      requests++
      response.end()
    })
    const client = lazyOutsideClient({ clock: realClock, allowedTargets: ['127.0.0.0/8'], deniedTargets: [] })
    client.send(requestTo(server.port), () => expect.unreachable())()
    await send(client, requestTo(server.port))
    expect(requests).toBe(1)
    await client.close()
    await lazyOutsideClient({ clock: realClock, allowedTargets: [], deniedTargets: [] }).close()
  })
})
