import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type net from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadlines } from '../../deadlines.ts'
import { defaultSettings } from '../../settings.ts'
import type { Backend, BackendTls, Certificate, HealthCheck } from '../../table/index.ts'
import { certificateFor } from '../../testing/certificates.ts'
import { answeringPod, pods, type RawPod, rawPod } from '../../testing/harness.ts'
import { Backends } from '../backends.ts'
import { Pools } from '../pool.ts'
import { CheckQueue } from './check-queue.ts'

const CHECK: HealthCheck = {
  path: '/healthz?deep=1',
  intervalMs: 10,
  timeoutMs: 500,
  healthyAfter: 2,
  unhealthyAfter: 3,
  statuses: [200, 399],
}
const answer = (status: number): string => `HTTP/1.1 ${status} Fine\r\nContent-Length: 0\r\n\r\n`

const cleanup: (() => unknown)[] = []
let pools: Pools
let backends: Backends
beforeEach(() => {
  const deadlines = new Deadlines(2)
  pools = new Pools(defaultSettings, deadlines)
  backends = new Backends(pools)
  cleanup.push(() => {
    pools.closeAll()
    deadlines.stop()
  })
})
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})
const keep = (pod: RawPod): RawPod => {
  cleanup.push(() => pod.close())
  return pod
}

const checked = (ports: readonly number[], check: Partial<HealthCheck> = {}, more: Partial<Backend> = {}): Backend => ({
  ...pods(...ports),
  health: { ...CHECK, ...check },
  ...more,
})

const unhealthy = (count: number): Promise<void> =>
  vi.waitFor(() => expect(backends.stats().unhealthy).toBe(count), { timeout: 5_000, interval: 3 })

const chosen = (): number[] => {
  const state = backends.get('web')
  const ports = Array.from({ length: 20 }, () => state?.choose()?.endpoint.port ?? 0)
  return [...new Set(ports)].sort()
}

describe('an endpoint', () => {
  it('gets no requests after so many checks that failed, and again after so many that did not', async () => {
    const well = keep(await answeringPod(answer(204)))
    let status = 503
    const ill = keep(await answeringPod(() => answer(status)))
    backends.set('web', checked([well.port, ill.port]))
    expect(chosen()).toEqual([well.port, ill.port].sort())
    await unhealthy(1)
    expect(ill.sockets.length).toBeGreaterThanOrEqual(3)
    expect(chosen()).toEqual([well.port])
    const before = ill.sockets.length
    status = 200
    await unhealthy(0)
    expect(ill.sockets.length).toBeGreaterThanOrEqual(before + 2)
    expect(chosen()).toEqual([well.port, ill.port].sort())
  })

  it('that answers well now and then is neither', async () => {
    const seen: number[] = []
    const pod = keep(
      await answeringPod(() => {
        seen.push(backends.stats().unhealthy)
        return answer(seen.length % 3 === 0 ? 200 : 503)
      }),
    )
    backends.set('web', checked([pod.port]))
    await pod.accepted(13)
    expect(seen).not.toContain(1)
  })

  it('is used when all are unhealthy', async () => {
    const ill = await Promise.all([answeringPod(answer(500)), answeringPod(answer(404))])
    ill.forEach(keep)
    const ports = ill.map(({ port }) => port)
    backends.set('web', checked(ports))
    await unhealthy(2)
    expect(chosen()).toEqual([...ports].sort())
  })

  it('that is unhealthy is not probed either when its ejection is over', async () => {
    const well = keep(await answeringPod(answer(200)))
    const ill = keep(await answeringPod(answer(503)))
    const brief = new Backends(new Pools({ ...defaultSettings, ejectionMs: 5 }, pools.deadlines))
    brief.set('web', pods(ill.port))
    const pool = brief.get('web')?.choose()
    pool?.onOutcome('refused', 1)
    pool?.onOutcome('refused', 1)
    brief.set('web', checked([well.port, ill.port]))
    cleanup.push(() => brief.remove('web'))
    await vi.waitFor(() => {
      expect(pool?.ejection.isDue).toBe(true)
      expect(brief.stats().unhealthy).toBe(1)
    })
    for (const hint of [undefined, { hashKey: 'a' }, { hashKey: 'b' }, { wanted: pool?.id }])
      expect(brief.get('web')?.choose(hint)?.endpoint.port).toBe(well.port)
  })

  it.each<[string, (socket: net.Socket) => void]>([
    ['says nothing', () => {}],
    ['hangs up', (socket) => socket.destroy()],
    ['speaks no HTTP', (socket) => socket.write('SSH-2.0-OpenSSH\r\n')],
    ['begins an answer and stops', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-')],
    ['redirects outside the statuses', (socket) => socket.write(answer(400))],
  ])('that %s is unhealthy', async (_, onData) => {
    const pod = keep(await rawPod(onData))
    backends.set('web', checked([pod.port], { timeoutMs: 20 }))
    await unhealthy(1)
  })

  it.each<[string, Partial<HealthCheck>]>([
    ['nobody listens', {}],
    ['the check itself cannot be sent', { path: '/a b' }],
    ['the name cannot be sent', { host: 'a\nb' }],
  ])('is unhealthy when %s', async (_, check) => {
    const pod = await answeringPod(answer(200))
    if (check.path === undefined && check.host === undefined) pod.close()
    else keep(pod)
    backends.set('web', checked([pod.port], check))
    await unhealthy(1)
  })

  it('is asked by GET for the path and the name, on a connection that is not used again', async () => {
    const pod = keep(await answeringPod(answer(200)))
    backends.set('web', checked([pod.port], { host: 'app.example.com' }))
    await pod.accepted(3)
    await vi.waitFor(() => expect(pod.received[0]).toMatch(/\r\n\r\n$/))
    expect(pod.received[0]).toMatch(/^GET \/healthz\?deep=1 HTTP\/1.1\r\n/)
    expect(pod.received[0]).toMatch(/\r\nhost: app.example.com\r\n/i)
    expect(pod.received[0]).toMatch(/\r\nconnection: close\r\n/i)
    expect(pod.received.every((text) => text.split('GET ').length <= 2)).toBe(true)
  })
})

describe('a change of the table', () => {
  it('keeps what is known of an endpoint that stays, with the same check or with another', async () => {
    const pod = keep(await answeringPod(answer(503)))
    const other = keep(await answeringPod(answer(200)))
    backends.set('web', checked([pod.port]))
    await unhealthy(1)
    backends.set('web', checked([pod.port, other.port]))
    expect(chosen()).toEqual([other.port])
    backends.set('web', checked([pod.port, other.port], { intervalMs: 60_000 }))
    expect(chosen()).toEqual([other.port])
  })

  it('lets a check that runs come to its end', async () => {
    const pod = keep(await rawPod(() => {}))
    const other = keep(await answeringPod(answer(200)))
    const check = { unhealthyAfter: 1, intervalMs: 200, timeoutMs: 10_000 }
    backends.set('web', checked([pod.port], check))
    await pod.accepted(1)
    backends.set('web', checked([pod.port, other.port], check))
    pod.sockets[0]?.write(answer(500))
    await unhealthy(1)
    expect(pod.sockets).toHaveLength(1)
  })

  it.each<[string, () => void]>([
    ['the backend goes', () => backends.remove('web')],
    ['its check goes', () => backends.set('web', pods(1))],
    ['everything is closed', () => pools.closeAll()],
  ])('ends checks when %s', async (_, change) => {
    const pod = keep(await rawPod(() => {}))
    backends.set('web', checked([pod.port]))
    await pod.accepted(1)
    const ended = new Promise((resolve) => pod.sockets[0]?.once('end', resolve).once('close', resolve))
    change()
    await ended
    // Another checker of the same clock shows that time has passed.
    const clock = keep(await answeringPod(answer(200)))
    const after = new Backends(new Pools(defaultSettings, pools.deadlines))
    after.set('web', checked([clock.port]))
    await clock.accepted(5)
    after.remove('web')
    expect(pod.sockets).toHaveLength(1)
  })
})

describe('pods with TLS and HTTP/2', () => {
  let certificate: Certificate
  beforeAll(async () => {
    certificate = await certificateFor('pod.example.com')
  })
  const serve = async (protocol: Backend['protocol']): Promise<number> => {
    const options = { cert: certificate.chain, key: certificate.key }
    const respond = (_: unknown, response: { writeHead(status: number): unknown; end(): unknown }): void => {
      response.writeHead(200)
      response.end()
    }
    const server = {
      http: () => http.createServer(respond),
      https: () => https.createServer(options, respond),
      h2c: () => http2.createServer({}, respond),
      h2: () => http2.createSecureServer(options, respond),
    }[protocol ?? 'http']()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    cleanup.push(() => server.close())
    return (server.address() as net.AddressInfo).port
  }
  const trusted: BackendTls = { verify: true, serverName: 'pod.example.com' }

  it.each<[Backend['protocol'], BackendTls | undefined, boolean]>([
    ['http', undefined, true],
    ['https', undefined, true],
    ['https', trusted, true],
    ['https', { ...trusted, serverName: 'other.example.com' }, false],
    ['h2c', undefined, true],
    ['h2', undefined, true],
    ['h2', trusted, true],
    ['h2', { ...trusted, serverName: 'other.example.com' }, false],
  ])('%s with %j is well: %s', async (protocol, tls, isWell) => {
    const port = await serve(protocol)
    const withCa = tls === undefined ? {} : { tls: { ...tls, ca: certificate.chain } }
    // Two checks that expect the opposite: one of them must change its endpoint's state.
    const more: Partial<Backend> = { ...(protocol === undefined ? {} : { protocol }), ...withCa }
    backends.set('web', checked([port], { unhealthyAfter: 2 }, more))
    backends.set('never', checked([port], { unhealthyAfter: 2, statuses: [500, 500] }, more))
    await unhealthy(isWell ? 1 : 2)
    expect(backends.stats().perBackend.get('web')?.unhealthy).toBe(isWell ? 0 : 1)
  })
})

describe('the queue', () => {
  it('runs at most so many checks at a time, in order, and each one that was not removed', () => {
    const act = fc.record({ of: fc.integer({ min: 0, max: 9 }), isAdd: fc.boolean() })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(act, { maxLength: 100 }), (most, acts) => {
        const queue = new CheckQueue(most)
        const running = new Set<number>()
        const all = Array.from({ length: 10 }, (_, i) => ({ run: () => void running.add(i) }))
        let waiting: number[] = []
        for (const { of, isAdd } of acts) {
          if (isAdd && !running.has(of)) {
            if (!waiting.includes(of)) waiting.push(of)
            queue.add(all[of]!)
          } else if (!isAdd) {
            waiting = waiting.filter((one) => one !== of)
            running.delete(of)
            queue.remove(all[of]!)
          }
          waiting = waiting.filter((one) => !running.has(one))
          expect(running.size).toBeLessThanOrEqual(most)
          if (waiting.length > 0) expect(running.size).toBe(most)
        }
      }),
    )
  })

  it('keeps a thousand endpoints that hang from being asked all at once', async () => {
    const pod = keep(await rawPod(() => {}))
    const few = new Backends(new Pools({ ...defaultSettings, maxConcurrentChecks: 4 }, pools.deadlines))
    for (let i = 0; i < 1_000; i++) few.set(`${i}`, checked([pod.port], { timeoutMs: 20 }))
    let most = 0
    const open = (): number => pod.sockets.filter(({ closed, readableEnded }) => !closed && !readableEnded).length
    for (const count of [4, 8, 12, 40]) {
      await pod.accepted(count)
      most = Math.max(most, open())
    }
    for (let i = 0; i < 1_000; i++) few.remove(`${i}`)
    expect(most).toBeGreaterThan(0)
    // Those that were given up this moment may not have been seen to close.
    expect(most).toBeLessThanOrEqual(8)
  })
})
