import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { command } from '../support/instance.ts'
import { OPCODES, openWebSocket, WEBSOCKET_SERVER, type WebSocketClient } from '../support/websocket.ts'
import { ingress, path, pod, service, startWorld, variants, type World } from '../support/world.ts'

const HOST = 'kept.example'

describe.each(variants(19))('connections to the Ingress, $title', ({ asUser, slot }) => {
  let world: World
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-ingress-'))
    world = await startWorld({ asUser, slot })
    await world.apply([pod('one'), pod('two'), service('one'), service('two'), ingress('kept', HOST, [path('/', 'one')])])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/one', 'pod/two', '--timeout=60s'])
  })
  afterAll(async () => {
    await world?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('a kept connection survives route changes and follows them', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    const ask = async (): Promise<string> => {
      const asked = request(world.instance.status.ingress.http, { agent, headers: { host: HOST } }).end()
      asked.once('socket', (socket) => socket.connecting || ports.add(socket.localPort))
      const [response] = await once(asked, 'response')
      ports.add(response.socket.localPort)
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      return response.statusCode === 200 ? JSON.parse(Buffer.concat(chunks).toString()).pod : String(response.statusCode)
    }
    await expect.poll(ask, { timeout: 15_000 }).toBe('one')
    for (const to of ['two', 'one']) {
      await world.apply(ingress('kept', HOST, [path('/', to)]))
      await expect.poll(ask, { timeout: 15_000, interval: 20 }).toBe(to)
    }
    expect(ports.size).toBe(1)
    agent.destroy()
  })

  it('takes 64 MB up, whole', async () => {
    const asked = request(world.instance.status.ingress.http, { method: 'POST', headers: { host: HOST } })
    const chunk = Buffer.alloc(1 << 20, 'x')
    for (let index = 0; index < 64; index++) if (!asked.write(chunk)) await once(asked, 'drain')
    asked.end()
    const [response] = await once(asked, 'response')
    const chunks: Buffer[] = []
    for await (const part of response) chunks.push(part)
    expect(response.statusCode).toBe(200)
    expect(JSON.parse(Buffer.concat(chunks).toString()).body).toHaveLength(1 << 20)
  })

  describe('WebSocket', () => {
    const SOCKETS = 'sockets.example'
    const sockets = (to: string) => ingress('sockets', SOCKETS, [path('/chat', 'sockets'), path('/other', to)])

    beforeAll(async () => {
      const container = { command: ['node', '-e', WEBSOCKET_SERVER] }
      await world.apply([pod('sockets', { container }), service('sockets'), sockets('one')])
      await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/sockets', '--timeout=60s'])
      // A hook, where expect.poll may not be.
      const answers = async () => expect((await world.ingress(SOCKETS, '/chat')).code).toBe(200)
      await vi.waitFor(answers, { timeout: 15_000, interval: 50 })
    })

    const shake = async (): Promise<WebSocketClient> => {
      const { hostname, port } = new URL(world.instance.status.ingress.http)
      const socket = connectTcp({ host: hostname, port: Number(port) })
      await once(socket, 'connect')
      return openWebSocket(socket, SOCKETS, '/chat/room?a=b')
    }

    it('shakes hands with the pod, and frames of every length come back', async () => {
      const client = await shake()
      expect(client.head).toMatch(/\r\nx-path: \/chat\/room\?a=b\r\n/i)
      for (const size of [0, 5, 125, 126, 65_535, 65_536, 3_000_000]) {
        const payload = randomBytes(size)
        client.send(OPCODES.binary, payload)
        const { opcode, payload: echoed } = await client.receive()
        expect([opcode, echoed.equals(payload)]).toEqual([OPCODES.binary, true])
      }
      client.send(OPCODES.ping, 'there?')
      expect(await client.receive()).toEqual({ opcode: OPCODES.pong, payload: Buffer.from('there?') })
      client.socket.destroy()
    })

    it('ends as the pod ends it', async () => {
      const client = await shake()
      client.send(OPCODES.close, Buffer.of(0x03, 0xe8))
      expect(await client.receive()).toEqual({ opcode: OPCODES.close, payload: Buffer.of(0x03, 0xe8) })
      await expect(client.receive()).rejects.toThrow('the connection ended')
    })

    it('survives changes of the routes around it', async () => {
      const client = await shake()
      await world.apply(sockets('two'))
      await expect.poll(async () => (await world.ingress(SOCKETS, '/other')).pod, { timeout: 15_000 }).toBe('two')
      client.send(OPCODES.text, 'still here')
      expect(await client.receive()).toEqual({ opcode: OPCODES.text, payload: Buffer.from('still here') })
      client.socket.destroy()
    })

    it('over TLS too', async () => {
      const { port } = new URL(world.instance.status.ingress.https)
      const socket = connect({ host: '127.0.0.1', port: Number(port), servername: SOCKETS, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const client = await openWebSocket(socket, SOCKETS, '/chat')
      client.send(OPCODES.text, 'hello')
      expect(await client.receive()).toEqual({ opcode: OPCODES.text, payload: Buffer.from('hello') })
      socket.destroy()
    })

    it('is no matter of a pod that does not speak it', async () => {
      const { hostname, port } = new URL(world.instance.status.ingress.http)
      const socket = connectTcp({ host: hostname, port: Number(port) })
      await expect(openWebSocket(socket, HOST)).rejects.toThrow('no handshake: HTTP/1.1 200 OK')
      socket.destroy()
    })
  })

  describe('a pod that goes deaf', () => {
    const DEAF = 'deaf.example'
    /** The kernel completes so many connections for a server that takes none, and leaves the next unanswered. */
    const QUEUE = 2
    const program = `require('node:http').createServer((request, response) => {
      if (request.url === '/deaf') request.socket.once('close', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
      response.setHeader('connection', 'close').end('heard')
    }).listen({ port: 8080, host: process.env.POD_IP, backlog: ${QUEUE - 1} })`

    const ask = async (at = '/'): Promise<{ readonly answer: string; readonly seconds: number }> => {
      const begun = performance.now()
      const asked = request(new URL(at, world.instance.status.ingress.http), { agent: false, headers: { host: DEAF } }).end()
      const [response] = await once(asked, 'response')
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      return { answer: `${response.statusCode} ${Buffer.concat(chunks)}`, seconds: (performance.now() - begun) / 1000 }
    }

    // The engine's clock is coarse: a deadline may come a tick early.
    let unanswered: readonly ReturnType<typeof ask>[] = []

    it('is 504 when it takes no connection in 5 s, and there is no other pod to try', { timeout: 60_000 }, async () => {
      // A probe would wait in the queue as well, and take the pod out.
      const container = { command: ['node', '-e', program], readinessProbe: undefined }
      await world.apply([pod('deaf', { container }), service('deaf'), ingress('deaf', DEAF, [path('/', 'deaf')])])
      await expect.poll(async () => (await ask()).answer, { timeout: 20_000 }).toBe('200 heard')
      expect((await ask('/deaf')).answer).toBe('200 heard')
      unanswered = Array.from({ length: QUEUE }, () => ask())
      // The second variant ends before they do.
      for (const asked of unanswered) asked.catch(() => {})
      const { answer, seconds } = await ask()
      expect(answer).toMatch(/^504 .*upstream-connect-timeout/)
      expect(seconds).toBeGreaterThan(4.5)
      expect(seconds).toBeLessThan(14)
    })

    // No option and no annotation shortens the engine's minute yet; it is the same in both variants, and waited for once.
    it.runIf(asUser)('is 504 when it does not answer in a minute (as an ordinary user only)', { timeout: 90_000 }, async () => {
      expect(unanswered).toHaveLength(QUEUE)
      for (const { answer, seconds } of await Promise.all(unanswered)) {
        expect(answer).toMatch(/^504 .*upstream-response-timeout/)
        expect(seconds).toBeGreaterThan(59)
      }
    })
  })

  it('renews a certificate without cutting a connection', async () => {
    const tls = { tls: [{ hosts: [HOST], secretName: 'kept-tls' }] }
    await secret('first')
    await world.apply(ingress('kept', HOST, [path('/', 'one')], { ...ingress('kept', HOST, [path('/', 'one')]).spec, ...tls }))
    await expect.poll(async () => organization(await open()), { timeout: 15_000 }).toBe('first')
    const kept = await open()
    expect(await askOver(kept)).toContain('200 OK')
    await secret('second')
    await expect.poll(async () => organization(await open()), { timeout: 15_000 }).toBe('second')
    expect(await askOver(kept)).toContain('200 OK')
    kept.destroy()
  })

  const secret = async (by: string): Promise<void> => {
    const files = ['-keyout', `${folder}/${by}.key`, '-out', `${folder}/${by}.crt`]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const subject = ['-subj', `/O=${by}/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`]
    expect((await command('openssl', ['req', '-x509', ...key, ...subject, ...files])).code).toBe(0)
    const pair = [`--cert=${folder}/${by}.crt`, `--key=${folder}/${by}.key`]
    const manifest = await world.kubectl.ok(['create', 'secret', 'tls', 'kept-tls', ...pair, '--dry-run=client', '-o', 'yaml'])
    await world.kubectl.ok(['apply', '-f', '-'], manifest)
  }

  const open = async (): Promise<TLSSocket> => {
    const { port } = new URL(world.instance.status.ingress.https)
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: HOST, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    return socket
  }

  const organization = (socket: TLSSocket): string => {
    const { O } = socket.getPeerCertificate().subject
    socket.destroy()
    return String(O)
  }

  const askOver = async (socket: TLSSocket): Promise<string> => {
    socket.write(`GET /status/200 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    const [head] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer]
    return head.toString()
  }
})
