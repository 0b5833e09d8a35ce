import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, pods, type RawPod, rawClient, rawPod, startEngine } from '../testing/harness.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let secure: tls.Server
let securePort = 0
let httpPod: RawPod
beforeAll(async () => {
  const { chain, key } = await certificateFor('pod.io')
  secure = tls.createServer({ cert: chain, key, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    let got = ''
    socket.on('data', (piece) => {
      got += piece.toString('latin1')
    })
    socket.on('end', () => socket.end(`after the end: ${got}`))
  })
  secure.listen(0, '127.0.0.1')
  await once(secure, 'listening')
  const address = secure.address()
  securePort = typeof address === 'object' && address ? address.port : 0
  httpPod = await answeringPod(OK)
})
afterAll(() => {
  secure.close()
  httpPod.close()
})

const engine = async (port: number, settings: Partial<EngineSettings> = {}): Promise<Awaited<ReturnType<typeof startEngine>>> => {
  const target = { backend: 'through', labels: {} }
  const delta = {
    hosts: new Map([['precise.wild.io', everything('pods')]]),
    backends: new Map([
      ['through', pods(port)],
      ['nobody', pods()],
    ]),
    passthrough: new Map([
      ['pod.io', target],
      ['*.wild.io', target],
      ['nobody.io', { backend: 'nobody', labels: {} }],
    ]),
  }
  const started = await startEngine([httpPod.port], settings, { delta, tls: await certificateFor('engine') })
  cleanup.push(() => started.stop())
  return started
}

const handshake = (port: number, servername: string): Promise<tls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername, rejectUnauthorized: false, allowHalfOpen: true }
    const socket = tls.connect(options, () => resolve(socket))
    socket.once('error', reject)
    cleanup.push(() => socket.destroy())
  })

/** The bytes of a client's first flight. */
const helloFor = async (servername: string): Promise<Buffer> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = tls.connect({ port: typeof address === 'object' && address ? address.port : 0, host: '127.0.0.1', servername })
  client.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

describe('a connection for a host that is passed through', () => {
  it.each([
    ['pod.io', 'pod.io'],
    ['POD.io', 'pod.io'],
    ['any.wild.io', 'pod.io'],
    ['precise.wild.io', 'engine'],
    ['a.any.wild.io', 'engine'],
    ['elsewhere.io', 'engine'],
  ])('%s is answered by %s', async (servername, name) => {
    const { tlsPort } = await engine(securePort)
    expect((await handshake(tlsPort, servername)).getPeerCertificate().subject.CN).toBe(name)
  })

  it('is one from the change of the table on', async () => {
    const started = await startEngine([httpPod.port], {}, { tls: await certificateFor('engine') })
    cleanup.push(() => started.stop())
    const name = async (): Promise<unknown> => (await handshake(started.tlsPort, 'late.io')).getPeerCertificate().subject.CN
    expect(await name()).toBe('engine')
    started.dataPlane.update({
      backends: new Map([['through', pods(securePort)]]),
      passthrough: new Map([['late.io', { backend: 'through', labels: {} }]]),
    })
    expect(await name()).toBe('pod.io')
    started.dataPlane.update({ passthrough: new Map([['late.io', null]]) })
    expect(await name()).toBe('engine')
  })

  it('carries bytes both ways, and ends each way by itself', async () => {
    const { tlsPort, dataPlane } = await engine(securePort)
    const socket = await handshake(tlsPort, 'pod.io')
    expect(dataPlane.stats.tunnels).toBe(1)
    const body = 'x'.repeat(300_000)
    socket.end(body)
    let text = ''
    for await (const piece of socket) text += String(piece)
    expect(text).toBe(`after the end: ${body}`)
  })

  it('reaches the pod as it was sent, in whatever pieces', { timeout: 60_000 }, async () => {
    const pod = await rawPod((socket, text) => {
      if (text.endsWith('and more')) socket.end()
    })
    cleanup.push(() => pod.close())
    const { tlsPort } = await engine(pod.port)
    const bytes = Buffer.concat([await helloFor('pod.io'), Buffer.from('and more')])
    for (const size of [1, 2, 7, 100, bytes.length]) {
      const client = await rawClient(tlsPort)
      for (let at = 0; at < bytes.length; at += size) {
        client.socket.write(bytes.subarray(at, at + size))
        if (size < 100) await new Promise((resolve) => setImmediate(resolve))
      }
      await client.closed()
    }
    expect(pod.received).toHaveLength(5)
    for (const text of pod.received) expect(text).toBe(bytes.toString('latin1'))
  })

  it('is closed when there is no pod, or it refuses', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const address = closed.address()
    const port = typeof address === 'object' && address ? address.port : 0
    closed.close()
    const { tlsPort, dataPlane } = await engine(port)
    await expect(handshake(tlsPort, 'nobody.io')).rejects.toThrow()
    await expect(handshake(tlsPort, 'pod.io')).rejects.toThrow()
    expect(dataPlane.stats.failures.get('passthrough-unavailable')).toBe(1)
    await expect.poll(() => dataPlane.load).toBe(0)
  })

  it('is closed when nothing passes for too long, and when the pod breaks off', async () => {
    const { tlsPort } = await engine(securePort, { tunnelTimeoutMs: 50 })
    const socket = await handshake(tlsPort, 'pod.io')
    socket.resume()
    await once(socket, 'end')
    const pod = await rawPod((socket) => socket.resetAndDestroy())
    cleanup.push(() => pod.close())
    await expect(handshake((await engine(pod.port)).tlsPort, 'pod.io')).rejects.toThrow()
  })
})

describe('a connection that is no ClientHello', () => {
  it('is closed when it says nothing in time, and told what is wrong when it says something else', async () => {
    const { tlsPort } = await engine(securePort, { tlsHandshakeTimeoutMs: 50 })
    expect(await (await rawClient(tlsPort)).closed()).toBe('')
    const client = await rawClient(tlsPort)
    client.send('GET / HTTP/1.1\r\n\r\n')
    await client.closed().catch(() => {})
    const patient = await engine(securePort)
    const other = await rawClient(patient.tlsPort)
    other.send('\x16\x03\x01\x00\x04\x02\x00\x00\x00')
    const [alert, version] = Buffer.from(await other.closed(), 'latin1')
    expect([alert, version]).toEqual([21, 3])
    await expect.poll(() => patient.dataPlane.load).toBe(0)
  })
})
