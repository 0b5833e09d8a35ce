import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { HealthCheck } from '../model.ts'
import { probe } from './probes.ts'

const check = (more: Partial<HealthCheck>): HealthCheck => ({
  isOn: true,
  interval: 5,
  timeout: 2,
  healthyAfter: 3,
  unhealthyAfter: 3,
  type: 'TCP',
  codes: 31,
  sourceIpType: 1,
  ...more,
})

describe('a probe', () => {
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })
  const ask = (port: number, more: Partial<HealthCheck>, isUdp = false): Promise<boolean> =>
    probe({ check: check(more), isUdp, address: '127.0.0.1', port, timeoutMs: 300 })

  const listen = (server: net.Server): Promise<number> => {
    ends.push(() => server.close())
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
  }
  const closedPort = async (): Promise<number> => {
    const server = net.createServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  it('of TCP wants a connection', async () => {
    expect(await ask(await listen(net.createServer((socket) => socket.destroy())), {})).toBe(true)
    expect(await ask(await closedPort(), {})).toBe(false)
  })

  it('of a custom kind wants the answer that it knows, in text and in hexadecimal', async () => {
    const port = await listen(
      net.createServer((socket) => socket.on('data', (data) => socket.end(data.toString() === 'ping' ? 'pong!' : 'what?'))),
    )
    const context = { type: 'TEXT', send: 'ping', receive: 'pong' } as const
    expect(await ask(port, { type: 'CUSTOM', context })).toBe(true)
    expect(await ask(port, { type: 'CUSTOM', context: { type: 'HEX', send: '70696E67', receive: '706F6E67' } })).toBe(true)
    expect(await ask(port, { type: 'CUSTOM', context: { ...context, send: 'x' } })).toBe(false)
    const silent = await listen(net.createServer((socket) => void ends.push(() => socket.destroy())))
    expect(await ask(silent, { type: 'CUSTOM', context })).toBe(false)
  })

  it.each([
    ['GET', '/', 31, true],
    ['HEAD', '/', 2, true],
    ['HEAD', '/404', 2, false],
    ['HEAD', '/404', 8, true],
    ['GET', '/500', 15, false],
    ['GET', '/hang', 31, false],
  ] as const)('of HTTP: %s %s for the codes %i is %s', async (method, path, codes, isWell) => {
    const server = createServer((request, response) => {
      if (request.url === '/hang' || request.method !== method || request.headers.host !== 'a.example') return
      response.writeHead(Number(request.url?.slice(1)) || 200).end()
    })
    ends.push(() => server.closeAllConnections())
    const port = await listen(server)
    expect(await ask(port, { type: 'HTTP', method, path, codes, domain: 'a.example' })).toBe(isWell)
  })

  it('of UDP finds that nobody listens; a custom one wants its answer', async () => {
    const socket = createSocket('udp4')
    ends.push(() => socket.close())
    socket.on('message', (message, { port, address }) => {
      if (message.toString() === 'ping') socket.send('pong', port, address)
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    const { port } = socket.address()
    const context = { type: 'TEXT', send: 'ping', receive: 'pong' } as const
    expect(await ask(port, { type: 'PING' }, true)).toBe(true)
    expect(await ask(port, { type: 'CUSTOM', context }, true)).toBe(true)
    expect(await ask(port, { type: 'CUSTOM', context: { ...context, send: 'x' } }, true)).toBe(false)
    const gone = createSocket('udp4')
    await new Promise<void>((resolve) => gone.bind(0, '127.0.0.1', resolve))
    const { port: closed } = gone.address()
    await new Promise<void>((resolve) => gone.close(() => resolve()))
    expect(await ask(closed, { type: 'PING' }, true)).toBe(false)
  })
})
