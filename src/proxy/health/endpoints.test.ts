import { Counter, Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Node } from '../../api/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import type { ExplainQuery } from '../explain.ts'
import { healthEndpoint } from './health-endpoint.ts'
import { type HttpServer, openHttpServer } from './http-server.ts'
import { createLiveness, isNodeEligible, type ProxyHealth } from './liveness.ts'
import { metricsEndpoint } from './metrics-endpoint.ts'

const HOST = '127.77.0.1'
let server: HttpServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`http://${HOST}:${server?.port}${path}`, { method, headers: { connection: 'close' } })
  const text = await response.text()
  return { status: response.status, type: response.headers.get('content-type'), text }
}

describe('the health endpoint', () => {
  const clock = pausedClock(Date.UTC(2026, 0, 2, 3, 4, 5))
  const NOW = '2026-01-02T03:04:05.000Z'
  const BEFORE = Date.UTC(2026, 0, 2)
  let health: ProxyHealth
  let answered: string[]
  beforeEach(async () => {
    answered = []
    const handler = healthEndpoint({ health: () => health, clock, answered: (...args) => void answered.push(args.join(' ')) })
    server = await openHttpServer({ address: HOST, port: 0 }, handler)
  })

  it.each([
    ['healthy', { isHealthy: true, isStarting: false, isNodeEligible: true, lastUpdated: BEFORE }, 200, 200, NOW],
    [
      'stale',
      { isHealthy: false, isStarting: false, isNodeEligible: true, lastUpdated: BEFORE },
      503,
      503,
      '2026-01-02T00:00:00.000Z',
    ],
    [
      'on a node that is about to go',
      { isHealthy: true, isStarting: false, isNodeEligible: false, lastUpdated: BEFORE },
      503,
      200,
      '2026-01-02T00:00:00.000Z',
    ],
    ['starting', { isHealthy: false, isStarting: true, isNodeEligible: true }, 503, 200, ''],
  ])('tells that the proxy is %s', async (_title, now, healthz, livez, lastUpdated) => {
    health = now
    const first = await get('/healthz')
    expect(first).toMatchObject({ status: healthz, type: 'application/json' })
    expect(JSON.parse(first.text)).toEqual({ lastUpdated, currentTime: NOW, nodeEligible: now.isNodeEligible })
    const second = await get('/livez')
    expect(second.status).toBe(livez)
    expect(Object.keys(JSON.parse(second.text))).toEqual(['lastUpdated', 'currentTime'])
    expect(answered).toEqual([`healthz ${healthz}`, `livez ${livez}`])
  })

  it.each([
    ['GET', '/nothing', 404],
    ['GET', '/constructor', 404],
    ['POST', '/healthz', 405],
    ['HEAD', '/healthz', 200],
  ])('answers %s %s with %i', async (method, path, status) => {
    health = { isHealthy: true, isStarting: false, isNodeEligible: true, lastUpdated: BEFORE }
    expect((await get(path, method)).status).toBe(status)
  })
})

describe('liveness', () => {
  it('is lost when a change waits for a minute, and comes back with the next sync', async () => {
    const clock = pausedClock()
    const liveness = createLiveness(clock)
    expect([liveness.isHealthy(), liveness.isStarting()]).toEqual([false, true])
    liveness.succeeded()
    expect(liveness.isStarting()).toBe(false)
    await clock.advance(3_600_000)
    expect(liveness.isHealthy()).toBe(true)
    liveness.queued(clock.monotonic())
    await clock.advance(59_000)
    expect(liveness.isHealthy()).toBe(true)
    await clock.advance(1_000)
    expect([liveness.isHealthy(), liveness.isStarting()]).toEqual([false, false])
    liveness.succeeded()
    expect(liveness.isHealthy()).toBe(true)
    expect(liveness.lastUpdated()).toBe(clock.now())
  })

  const node = (metadata: object, spec: object = {}): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', ...metadata },
    spec,
  })
  const taint = (key: string) => ({ taints: [{ key, effect: 'NoSchedule' }] })
  it.each([
    ['an ordinary node', node({}), true],
    ['a node that nobody knows', undefined, true],
    ['a node with another taint', node({}, taint('dedicated')), true],
    ['a node that Cluster Autoscaler will delete', node({}, taint('ToBeDeletedByClusterAutoscaler')), false],
    ['a node that is being deleted', node({ deletionTimestamp: '2026-01-01T00:00:00Z' }), false],
  ])('new connections for %s: %s', (_title, object, expected) => {
    expect(isNodeEligible(object)).toBe(expected)
  })
})

describe('the metrics endpoint', () => {
  const asked: ExplainQuery[] = []
  beforeEach(async () => {
    asked.length = 0
    const registry = new Registry()
    new Counter({ name: 'a_total', help: 'a', registers: [registry] }).inc()
    const explain = (query: ExplainQuery) => {
      asked.push(query)
      return query.address === '10.96.0.10' ? ({ mode: 'fake' } as never) : undefined
    }
    server = await openHttpServer({ address: HOST, port: 0 }, metricsEndpoint({ registry, mode: () => 'nftables', explain }))
  })

  it('serves what Prometheus reads', async () => {
    const { status, type, text } = await get('/metrics')
    expect({ status, type }).toEqual({ status: 200, type: expect.stringContaining('text/plain') })
    expect(text).toContain('a_total 1')
  })

  it('tells the mode in plain text', async () => {
    expect(await get('/proxyMode')).toMatchObject({ status: 200, text: 'nftables' })
  })

  it.each([
    ['target=10.96.0.10:80', 200, { address: '10.96.0.10', port: 80, source: {} }],
    [
      'target=10.96.0.10:80&from=pod&protocol=UDP',
      200,
      { address: '10.96.0.10', port: 80, protocol: 'UDP', source: { class: 'pod' } },
    ],
    ['target=10.96.0.10:80&source=10.1.1.1', 200, { address: '10.96.0.10', port: 80, source: { address: '10.1.1.1' } }],
    ['target=%5Bfd00::1%5D:443&from=nobody', 400, { address: 'fd00::1', port: 443, source: {} }],
  ])('explains %s: %i', async (query, status, expected) => {
    expect((await get(`/explain?${query}`)).status).toBe(status)
    expect(asked).toEqual([expected])
  })

  it.each(['', 'target=web', 'target=10.96.0.10', 'target=10.96.0.10:80:90', 'target=http://a'])(
    'refuses the question "%s"',
    async (query) => {
      const { status, text } = await get(`/explain?${query}`)
      expect(status).toBe(400)
      expect(JSON.parse(text).error).toContain('is not address:port')
      expect(asked).toEqual([])
    },
  )
})
