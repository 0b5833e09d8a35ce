import http from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import type { Backend } from '../table/index.ts'
import { answeringPod, pods, type RawPod, rawPod, startEngine } from '../testing/harness.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})
const keep = (pod: RawPod): RawPod => {
  cleanup.push(() => pod.close())
  return pod
}
type Engine = Awaited<ReturnType<typeof startEngine>>
const engineFor = async (ports: readonly number[], settings?: Partial<EngineSettings>): Promise<Engine> => {
  const engine = await startEngine(ports, settings)
  cleanup.push(() => engine.stop())
  return engine
}
const setPods = (engine: Engine, backend: Backend): void => engine.dataPlane.update({ backends: new Map([['pods', backend]]) })

/** A keep-alive client that sends the next request when it has its answer; counts statuses, 0 for a lost connection. */
const clientOf = (port: number, pathOf: () => string = () => '/'): { run(requests: number): Promise<number[]>; stop(): void } => {
  let isStopped = false
  const run = (requests: number): Promise<number[]> =>
    new Promise((resolve) => {
      const statuses: number[] = []
      let text = ''
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
      const ask = (): void => void socket.write(`GET ${pathOf()} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const end = (): void => {
        socket.destroy()
        resolve(statuses)
      }
      socket.on('connect', ask)
      socket.on('error', () => {})
      socket.on('data', (piece) => {
        text += piece.toString('latin1')
        const head = text.indexOf('\r\n\r\n')
        if (head === -1 || text.length < head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)) return
        statuses.push(Number(text.slice(9, 12)))
        text = ''
        if (isStopped || statuses.length >= requests) end()
        else ask()
      })
      socket.on('close', () => {
        if (!isStopped && statuses.length < requests) statuses.push(0)
        end()
      })
    })
  return { run, stop: () => (isStopped = true) }
}

const counted = (statuses: readonly number[]): Record<number, number> => {
  const counts: Record<number, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

describe('a pod that fails', () => {
  it('is left alone after five failures in a row, and has its share again when a probe is answered', async () => {
    let isWell = false
    const ill = keep(await rawPod((socket) => void (isWell ? socket.write(OK) : socket.destroy())))
    const well = keep(await answeringPod(OK))
    const other = keep(await answeringPod(OK))
    const { port } = await engineFor([ill.port, well.port, other.port], { ejectionMs: 300 })
    expect(counted(await clientOf(port).run(90))).toEqual({ 200: 85, 502: 5 })
    expect(ill.sockets).toHaveLength(5)
    isWell = true
    await vi.waitFor(async () => {
      await clientOf(port).run(3)
      expect(ill.sockets.length).toBe(6)
    })
    const before = ill.received.join('').split('GET').length
    expect(counted(await clientOf(port).run(30))).toEqual({ 200: 30 })
    expect(ill.received.join('').split('GET').length - before).toBe(10)
  })

  it('that refuses costs a client no error, and soon nothing', async () => {
    const gone = await answeringPod(OK)
    gone.close()
    const well = keep(await answeringPod(OK))
    const { port, dataPlane } = await engineFor([gone.port, well.port])
    expect(counted(await clientOf(port).run(100))).toEqual({ 200: 100 })
    expect(dataPlane.stats.retries).toBeLessThanOrEqual(5)
  })

  it('with 503 again and again is left alone; when all do so, none is', async () => {
    const ill = keep(await answeringPod('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'))
    const well = keep(await answeringPod(OK))
    const { port } = await engineFor([ill.port, well.port])
    const { 503: bad = 0 } = counted(await clientOf(port).run(100))
    expect(bad).toBe(20)
    const alone = await engineFor([ill.port])
    expect(counted(await clientOf(alone.port).run(100))).toEqual({ 503: 100 })
  })
})

describe('a pod that is full', () => {
  it('is passed over; with all pods full the client is told', async () => {
    const hanging = await Promise.all([rawPod(() => {}), rawPod(() => {})])
    hanging.forEach(keep)
    const engine = await engineFor(
      hanging.map(({ port }) => port),
      { maxRequestsPerEndpoint: 1 },
    )
    const clients = [clientOf(engine.port), clientOf(engine.port)]
    for (const client of clients) {
      void client.run(1)
      cleanup.push(() => client.stop())
    }
    await Promise.all(hanging.map((pod) => pod.accepted(1)))
    expect(await clientOf(engine.port).run(1)).toEqual([503])
  })
})

describe('endpoints that come and go', () => {
  it('lose no request in 1,000 changes under load, and get none after they left', async () => {
    const tables: Set<number>[] = []
    const wrong: string[] = []
    // Answers take up to some turns of the event loop, so that pods leave in the middle of requests.
    const later = (turns: number, then: () => void): void =>
      void setImmediate(() => (turns === 0 ? then() : later(turns - 1, then)))
    const all = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const pod: RawPod = keep(
          await rawPod((socket, _, piece) => {
            const sentIn = Number(/GET \/(\d+)/.exec(piece.toString('latin1'))?.[1])
            const isKnown = tables.slice(sentIn).some((table) => table.has(pod.port))
            if (!isKnown) wrong.push(`${pod.port} got a request of table ${sentIn}`)
            later(Math.floor(Math.random() * 8), () => socket.write(OK))
          }),
        )
        return pod
      }),
    )
    const engine = await engineFor([])
    const swap = (i: number): void => {
      const ports = all.filter((_, at) => (at + i) % 3 !== 0).map(({ port }) => port)
      tables.push(new Set(ports))
      setPods(engine, { ...pods(...ports), balance: (['round-robin', 'least-requests', 'ewma'] as const)[i % 3] ?? 'ewma' })
    }
    swap(0)
    const clients = Array.from({ length: 12 }, () => clientOf(engine.port, () => `/${tables.length - 1}`))
    const runs = clients.map((client) => client.run(Number.POSITIVE_INFINITY))
    for (let i = 1; i <= 1_000; i++) {
      swap(i)
      await new Promise<void>((resolve) => later(4, resolve))
    }
    for (const client of clients) client.stop()
    const statuses = (await Promise.all(runs)).flat()
    expect(counted(statuses)).toEqual({ 200: statuses.length })
    expect(statuses.length).toBeGreaterThan(2_000)
    expect(wrong).toEqual([])
    expect(engine.dataPlane.stats.retries).toBe(0)
  }, 60_000)

  it('lose no GET when pods close before the table says so', async () => {
    const serve = async (): Promise<http.Server> => {
      const server = http.createServer((_, response) => setImmediate(() => response.end('ok')))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      cleanup.push(() => server.close())
      return server
    }
    const portOf = (server: http.Server): number => (server.address() as net.AddressInfo).port
    const engine = await engineFor([])
    let running = await Promise.all([serve(), serve(), serve(), serve()])
    const tell = (servers: readonly http.Server[]): void => setPods(engine, pods(...servers.map(portOf)))
    tell(running)
    const clients = Array.from({ length: 16 }, () => clientOf(engine.port))
    const runs = clients.map((client) => client.run(Number.POSITIVE_INFINITY))
    for (let i = 0; i < 100; i++) {
      const [oldest, ...others] = running
      const next = await serve()
      const seen = engine.dataPlane.stats.requests
      // Refuses from now on and closes idle connections; answers what it has.
      oldest?.close()
      oldest?.closeIdleConnections()
      await vi.waitFor(() => expect(engine.dataPlane.stats.requests).toBeGreaterThan(seen + 40), { interval: 1 })
      running = [...others, next]
      tell(running)
    }
    for (const client of clients) client.stop()
    const statuses = (await Promise.all(runs)).flat()
    expect(counted(statuses)).toEqual({ 200: statuses.length })
    expect(engine.dataPlane.stats.retries).toBeGreaterThan(50)
  }, 60_000)
})
