import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../data-plane.ts'
import { defaultSettings, type EngineSettings } from '../settings.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, pods, type RawPod, rawClient } from '../testing/harness.ts'
import { encodeProxyBinary, encodeProxyText } from './encode.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const CLIENT = { source: '203.0.113.7', sourcePort: 5_000, destination: '198.51.100.1', destinationPort: 443 }
const run = promisify(execFile)
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let pod: RawPod
beforeAll(async () => {
  pod = await answeringPod(OK)
})
afterAll(() => pod.close())

const listen = async (settings: Partial<EngineSettings> = {}): Promise<{ readonly http: number; readonly https: number }> => {
  const all = { ...defaultSettings, proxyProtocolPeers: ['127.0.0.0/8'], drainTimeoutMs: 100, ...settings }
  const dataPlane = new DataPlane({ settings: all, tickMs: 10 })
  dataPlane.update({ backends: new Map([['pods', pods(pod.port)]]), hosts: new Map([['', everything('pods')]]) })
  dataPlane.setBuiltInCertificate(await certificateFor('engine'))
  cleanup.push(() => dataPlane.stop())
  const ports = [dataPlane.httpServer({ proxyProtocol: true }), dataPlane.httpsServer({ proxyProtocol: true })].map(
    (server) =>
      new Promise<number>((resolve) =>
        server.listen(0, '127.0.0.1', () => {
          const address = server.address()
          resolve(typeof address === 'object' && address ? address.port : 0)
        }),
      ),
  )
  const [http = 0, https = 0] = await Promise.all(ports)
  return { http, https }
}

const lastRequest = (): string => pod.received.join('').split('\r\n\r\n').at(-2) ?? ''

describe('a listener that wants PROXY headers', () => {
  it.each([
    ['text', Buffer.from(encodeProxyText(CLIENT))],
    ['binary', encodeProxyBinary(CLIENT)],
  ])('takes the client from the %s header, however it comes', async (_, header) => {
    const { http } = await listen()
    const bytes = Buffer.concat([header, Buffer.from(REQUEST)])
    for (const size of [1, 5, header.length, bytes.length]) {
      const client = await rawClient(http)
      for (let at = 0; at < bytes.length; at += size) {
        client.socket.write(bytes.subarray(at, at + size))
        if (size < header.length) await new Promise((resolve) => setImmediate(resolve))
      }
      await client.until(/ok$/)
      expect(lastRequest()).toContain('X-Forwarded-For: 203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\n')
      expect(lastRequest()).toContain('X-Forwarded-Port: 443\r\n')
      client.send(REQUEST)
      await client.until(/ok.*ok$/s)
      client.socket.destroy()
    }
  })

  it('serves a proxy that speaks for itself', async () => {
    const { http } = await listen()
    const client = await rawClient(http)
    client.send(`PROXY UNKNOWN\r\n${REQUEST}`)
    await client.until(/ok$/)
    expect(lastRequest()).toContain('X-Forwarded-For: 127.0.0.1\r\n')
  })

  it('believes X-Forwarded-For of the client in the header, not of the proxy', async () => {
    for (const [trusted, forwarded] of [
      ['203.0.113.0/24', '192.0.2.1, 203.0.113.7'],
      ['127.0.0.0/8', '203.0.113.7'],
    ] as const) {
      const { http } = await listen({ trustedProxies: [trusted] })
      const client = await rawClient(http)
      client.send(`${encodeProxyText(CLIENT)}GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n`)
      await client.until(/ok$/)
      expect(lastRequest()).toContain(`X-Forwarded-For: ${forwarded}\r\n`)
    }
  })

  it.each([
    ['no header', REQUEST],
    ['a bad header', `PROXY TCP4 1 2 3 4\r\n${REQUEST}`],
    ['silence', ''],
    ['half a header', 'PROXY TCP4 '],
  ])('closes a connection with %s, and answers nothing', async (_, text) => {
    const { http, https } = await listen({ proxyProtocolTimeoutMs: 50 })
    for (const port of [http, https]) {
      const client = await rawClient(port)
      client.send(text)
      expect(await client.closed()).toBe('')
    }
  })

  it('closes connections of peers that it does not trust', async () => {
    for (const proxyProtocolPeers of [[], ['10.0.0.0/8']]) {
      const { http, https } = await listen({ proxyProtocolPeers })
      for (const port of [http, https]) {
        const client = await rawClient(port)
        client.send(`${encodeProxyText(CLIENT)}${REQUEST}`)
        expect(await client.closed()).toBe('')
      }
    }
  })

  it('understands curl, with and without TLS', async () => {
    const { http, https } = await listen()
    for (const url of [`http://127.0.0.1:${http}/`, `https://127.0.0.1:${https}/`]) {
      const { stdout } = await run('curl', ['-ksS', '--http1.1', '--max-time', '10', '--haproxy-protocol', url])
      expect(stdout).toBe('ok')
      expect(lastRequest()).toContain('X-Forwarded-For: 127.0.0.1\r\n')
    }
    const { stdout } = await run('curl', [
      '-ksS',
      '--max-time',
      '10',
      '-o',
      '/dev/null',
      '-w',
      '%{exitcode}',
      `https://127.0.0.1:${https}/`,
    ]).catch((error: { readonly stdout: string }) => error)
    expect(Number(stdout)).not.toBe(0)
  })
})
