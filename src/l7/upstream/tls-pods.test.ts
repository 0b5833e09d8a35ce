import https from 'node:https'
import type net from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { BackendTls, Certificate } from '../table/index.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { rawClient, rawPod, startEngine } from '../testing/harness.ts'
import { answerOk, type Http2Pod, http2Pod } from './http2/testing/pod.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let root: Authority
let other: Authority
let served: Certificate
let deep: Certificate
let client: Certificate
beforeAll(async () => {
  root = await createAuthority('CN=root')
  other = await createAuthority('CN=other')
  served = await root.issue('CN=pod', { dns: 'pod.test' })
  deep = await (await (await root.intermediate('CN=one')).intermediate('CN=two')).issue('CN=pod', { dns: 'pod.test' })
  client = await root.issue('CN=engine')
})

type Started = Awaited<ReturnType<typeof startEngine>>

const engineFor = async (protocol: 'https' | 'h2', port: number, settings: BackendTls | undefined): Promise<Started> => {
  const backend = { protocol, endpoints: [{ address: '127.0.0.1', port }], ...(settings === undefined ? {} : { tls: settings }) }
  const engine = await startEngine([], { maxTries: 1 }, { delta: { backends: new Map([['pods', backend]]) } })
  cleanup.push(() => engine.stop())
  return engine
}

const ask = async (engine: Started): Promise<string> => {
  const asking = await rawClient(engine.port)
  asking.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  return asking.closed()
}

interface HttpsPod {
  readonly port: number
  readonly sockets: tls.TLSSocket[]
}

const httpsPod = async (options: https.ServerOptions = {}): Promise<HttpsPod> => {
  const server = https.createServer(
    { cert: served.chain, key: served.key, ...options },
    (_request, response) => void response.end('ok'),
  )
  const sockets: tls.TLSSocket[] = []
  server.on('secureConnection', (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanup.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as net.AddressInfo).port, sockets }
}

const h2Pod = async (options: Parameters<typeof http2Pod>[1] = {}): Promise<Http2Pod> => {
  const pod = await http2Pod(answerOk, { tls: served, ...options })
  cleanup.push(() => pod.close())
  return pod
}

const podFor = async (protocol: 'https' | 'h2', certificate: Certificate): Promise<number> =>
  protocol === 'h2'
    ? (await h2Pod({ tls: certificate })).port
    : (await httpsPod({ cert: certificate.chain, key: certificate.key })).port

const caOf = (authority: Authority): string => authority.certificate.chain

describe.each(['https', 'h2'] as const)('a pod that speaks %s', (protocol) => {
  const cases: readonly [
    what: string,
    settings: () => BackendTls | undefined,
    outcome: '200' | '502',
    certificate?: () => Certificate,
  ][] = [
    ['without settings: any certificate is well', () => undefined, '200'],
    ['of the wanted authority and name', () => ({ verify: true, ca: caOf(root), serverName: 'pod.test' }), '200'],
    ['of the wanted authority, no name wanted', () => ({ verify: true, ca: caOf(root) }), '200'],
    ['of another name', () => ({ verify: true, ca: caOf(root), serverName: 'web.test' }), '502'],
    ['of another authority', () => ({ verify: true, ca: caOf(other), serverName: 'pod.test' }), '502'],
    ['of another authority, not checked', () => ({ verify: false, ca: caOf(other), serverName: 'pod.test' }), '200'],
    ['of a chain that is deep enough', () => ({ verify: true, ca: caOf(root), verifyDepth: 2 }), '200', () => deep],
    ['of a chain that is too deep', () => ({ verify: true, ca: caOf(root), verifyDepth: 1 }), '502', () => deep],
    [
      'with settings that are no certificate',
      () => ({ verify: true, ca: 'no PEM', clientCertificate: { chain: 'x', key: 'y' } }),
      '502',
    ],
    [
      'of an older version than wanted',
      () => ({ verify: false, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }),
      '200',
    ],
  ]
  it.each(cases)('%s', async (_what, settings, outcome, certificate = () => served) => {
    const engine = await engineFor(protocol, await podFor(protocol, certificate()), settings())
    const answer = await ask(engine)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${outcome} `))
    if (outcome === '502') expect(answer).toContain('X-Fairway-Reason: upstream-tls-failed\r\n')
  })

  it('in the clear is refused', async () => {
    const plain = await rawPod((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    cleanup.push(() => plain.close())
    expect(await ask(await engineFor(protocol, plain.port, undefined))).toMatch(/^HTTP\/1.1 502 .*upstream-tls-failed/s)
  })

  it('that is not there is refused', async () => {
    expect(await ask(await engineFor(protocol, 1, undefined))).toMatch(/^HTTP\/1.1 502 .*upstream-refused/s)
  })
})

describe('what a pod sees', () => {
  it('over https: the server name, the version and the client certificate', async () => {
    const pod = await httpsPod({ requestCert: true, rejectUnauthorized: true, ca: caOf(root) })
    const settings: BackendTls = {
      verify: true,
      ca: caOf(root),
      serverName: 'pod.test',
      clientCertificate: client,
      maxVersion: 'TLSv1.2',
    }
    expect(await ask(await engineFor('https', pod.port, settings))).toMatch(/^HTTP\/1.1 200 /)
    const [socket] = pod.sockets as (tls.TLSSocket & { readonly servername?: string })[]
    expect([socket?.servername, socket?.getProtocol(), socket?.alpnProtocol]).toEqual(['pod.test', 'TLSv1.2', 'http/1.1'])
    expect(socket?.getPeerCertificate().subject.CN).toBe('engine')
  })

  it('over https without the client certificate that it wants: nobody', async () => {
    const pod = await httpsPod({ requestCert: true, rejectUnauthorized: true, ca: caOf(root), maxVersion: 'TLSv1.2' })
    expect(await ask(await engineFor('https', pod.port, { verify: false }))).toMatch(/^HTTP\/1.1 502 .*upstream-tls-failed/s)
  })

  it('over h2: the client certificate, `:scheme` https', async () => {
    const pod = await h2Pod({ tls: { ...served, ca: caOf(root) } })
    const settings: BackendTls = { verify: true, ca: caOf(root), serverName: 'pod.test', clientCertificate: client }
    expect(await ask(await engineFor('h2', pod.port, settings))).toMatch(/^HTTP\/1.1 200 /)
    expect(pod.requests[0]).toMatchObject({ ':scheme': 'https', ':authority': 'a.test' })
  })

  it('over https: the session of the connection before, resumed', async () => {
    const pod = await httpsPod()
    const engine = await engineFor('https', pod.port, { verify: true, ca: caOf(root) })
    await ask(engine)
    pod.sockets[0]?.destroy()
    while ((await ask(engine)).startsWith('HTTP/1.1 502') || pod.sockets.length < 2);
    expect(pod.sockets.at(-1)?.isSessionReused()).toBe(true)
  })

  it('asked for h2 but speaking only HTTP/1.1: no request', async () => {
    const pod = await httpsPod({ ALPNProtocols: ['http/1.1'] })
    expect(await ask(await engineFor('h2', pod.port, undefined))).toMatch(/^HTTP\/1.1 502 .*upstream-tls-failed/s)
  })

  it('over https: a WebSocket is tunnelled, and half-closed', async () => {
    const server = tls.createServer({ cert: served.chain, key: served.key, allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        socket.on('data', (bytes: Buffer) => socket.write(bytes))
        socket.on('end', () => socket.end('bye'))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanup.push(() => server.close())
    const engine = await engineFor('https', (server.address() as net.AddressInfo).port, undefined)
    const asking = await rawClient(engine.port)
    asking.socket.allowHalfOpen = true
    asking.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n')
    await asking.until(/^HTTP\/1.1 101 .*\r\n\r\n$/s)
    asking.send('ping')
    await asking.until(/ping$/)
    asking.socket.end()
    expect(await asking.closed()).toMatch(/pingbye$/)
  })
})

describe('settings', () => {
  it('of two backends for one endpoint are two ways to it', async () => {
    const pod = await h2Pod()
    const engine = await engineFor('h2', pod.port, { verify: true, ca: caOf(root) })
    expect(await ask(engine)).toMatch(/^HTTP\/1.1 200 /)
    const endpoints = [{ address: '127.0.0.1', port: pod.port }]
    engine.dataPlane.update({
      backends: new Map([['pods', { protocol: 'h2', endpoints, tls: { verify: true, ca: caOf(other) } }]]),
    })
    expect(await ask(engine)).toMatch(/^HTTP\/1.1 502 /)
    expect(pod.sessions.length).toBe(1)
  })
})
