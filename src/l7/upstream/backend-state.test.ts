import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadlines } from '../deadlines.ts'
import { defaultSettings, type EngineSettings } from '../settings.ts'
import type { Backend, Endpoint } from '../table/index.ts'
import { type BackendState, Backends, type ChoiceHint } from './backends.ts'
import { type EndpointPool, Pools } from './pool.ts'

const TICK_MS = 100
let deadlines: Deadlines
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  deadlines = new Deadlines(TICK_MS)
  pass(1_000)
})
afterEach(() => {
  deadlines.stop()
  vi.useRealTimers()
})
const pass = (ms: number): void => void vi.advanceTimersByTime(ms)

const endpoints = (...ports: readonly (number | readonly [port: number, weight: number])[]): readonly Endpoint[] =>
  ports.map((one) => {
    const [port, weight] = typeof one === 'number' ? [one] : one
    return { address: '10.0.0.1', port, ...(weight === undefined ? {} : { weight }) }
  })

interface World {
  readonly backends: Backends
  readonly state: BackendState
  set(backend: Backend): void
  pool(port: number): EndpointPool
}

const world = (backend: Backend, settings: Partial<EngineSettings> = {}): World => {
  const pools = new Pools({ ...defaultSettings, ...settings }, deadlines)
  const backends = new Backends(pools)
  backends.set('web', backend)
  const state = backends.get('web')!
  const pool = (port: number): EndpointPool => {
    const found = pools.acquire({ address: '10.0.0.1', port }, { protocol: 'http', key: 'http' })
    pools.release(found)
    return found
  }
  return { backends, state, set: (next) => backends.set('web', next), pool }
}

const chosen = (state: BackendState, times: number, hint?: ChoiceHint): Map<number, number> => {
  const counts = new Map<number, number>()
  for (let i = 0; i < times; i++) {
    const port = state.choose(hint)?.endpoint.port ?? 0
    counts.set(port, (counts.get(port) ?? 0) + 1)
  }
  return counts
}
const eject = (pool: EndpointPool): void => {
  pool.onOutcome('refused', 1)
  pool.onOutcome('refused', 1)
}

describe('a choice', () => {
  it.each<[string, Backend, readonly [port: number, share: number][]]>([
    [
      'takes turns',
      { endpoints: endpoints(1, 2, 3, 4) },
      [
        [1, 25],
        [2, 25],
        [3, 25],
        [4, 25],
      ],
    ],
    [
      'keeps to weights',
      { endpoints: endpoints([1, 3], 2) },
      [
        [1, 75],
        [2, 25],
      ],
    ],
    ['leaves out weight 0', { endpoints: endpoints([1, 0], 2) }, [[2, 100]]],
    [
      'takes weight 0 when there is no other',
      { endpoints: endpoints([1, 0], [2, 0]) },
      [
        [1, 50],
        [2, 50],
      ],
    ],
    [
      'counts an endpoint that is named twice once',
      { endpoints: endpoints(1, 1, 2) },
      [
        [1, 50],
        [2, 50],
      ],
    ],
    ['has nobody without endpoints', { endpoints: [] }, [[0, 100]]],
  ])('%s', (_, backend, expected) => {
    const counts = chosen(world(backend).state, 100)
    expect([...counts.keys()].sort()).toEqual(expected.map(([port]) => port))
    for (const [port, share] of expected) expect(Math.abs((counts.get(port) ?? 0) - share)).toBeLessThanOrEqual(1)
  })

  it.each(['round-robin', 'least-requests', 'ewma'] as const)(
    'by %s names each untried endpoint before it gives up',
    (balance) => {
      const { state } = world({ balance, endpoints: endpoints(1, 2, 3, [4, 0]) })
      const tried: EndpointPool[] = []
      for (let pool = state.choose(); pool !== undefined; pool = state.choose({ tried })) tried.push(pool)
      expect(tried.map(({ endpoint }) => endpoint.port).sort()).toEqual([1, 2, 3, 4])
      expect(tried[3]?.endpoint.port).toBe(4)
    },
  )

  it('passes over endpoints that are full, and finds nobody when all are', () => {
    const { state, pool } = world({ endpoints: endpoints(1, 2, 3) }, { maxRequestsPerEndpoint: 2 })
    pool(1).active = 2
    pool(2).active = 1
    expect([...chosen(state, 60).keys()].sort()).toEqual([2, 3])
    pool(2).active = 2
    pool(3).active = 2
    expect(state.choose()).toBeUndefined()
    pool(1).active = 0
    expect(state.choose()).toBe(pool(1))
  })

  it('sees a change of the table in the middle of a request', () => {
    const { state, set, backends, pool } = world({ endpoints: endpoints(1) })
    const first = state.choose()
    set({ endpoints: endpoints(2) })
    expect(state.choose({ tried: first === undefined ? [] : [first] })).toBe(pool(2))
    backends.remove('web')
    expect([state.size, state.choose()]).toEqual([0, undefined])
  })
})

describe('a client’s own endpoint', () => {
  it('is found by its identifier, which neither order nor restart changes', () => {
    const { state, pool } = world({ endpoints: endpoints(1, 2, 3) })
    expect(pool(2).id).toMatch(/^[0-9a-f]{16}$/)
    expect(chosen(state, 20, { wanted: pool(2).id })).toEqual(new Map([[2, 20]]))
    expect(world({ endpoints: endpoints(3, 2) }).pool(2).id).toBe(pool(2).id)
  })

  it.each<[string, (world: World) => ChoiceHint, readonly number[]]>([
    [
      'keeps its clients at weight 0',
      ({ set, pool }) => {
        set({ endpoints: endpoints([1, 0], 2, 3) })
        return { wanted: pool(1).id }
      },
      [1],
    ],
    [
      'is replaced when it is ejected',
      ({ pool }) => {
        eject(pool(1))
        return { wanted: pool(1).id }
      },
      [2, 3],
    ],
    ['is replaced when it was tried', ({ pool }) => ({ wanted: pool(1).id, tried: [pool(1)] }), [2, 3]],
    [
      'is replaced when it is gone',
      ({ set, pool }) => {
        const { id } = pool(1)
        set({ endpoints: endpoints(2, 3) })
        return { wanted: id }
      },
      [2, 3],
    ],
    ['may be nonsense', () => ({ wanted: '__proto__' }), [1, 2, 3]],
    ['comes before a hash', ({ pool }) => ({ wanted: pool(3).id, hashKey: 'a' }), [3]],
  ])('%s', (_, change, expected) => {
    const one = world({ endpoints: endpoints(1, 2, 3) })
    const hint = change(one)
    expect([...chosen(one.state, 100, hint).keys()].sort()).toEqual(expected)
  })
})

describe('a hashed request', () => {
  it('goes to one endpoint, to another when that one is ejected, and back', () => {
    const { state, pool } = world({ endpoints: endpoints(1, 2, 3, 4) })
    const hint = { hashKey: 'customer-7' }
    const own = state.choose(hint)?.endpoint.port ?? 0
    expect(chosen(state, 50, hint)).toEqual(new Map([[own, 50]]))
    eject(pool(own))
    const other = chosen(state, 50, hint)
    expect(other.size).toBe(1)
    expect(other.has(own)).toBe(false)
    pass(10_200)
    expect(state.choose(hint)).toBe(pool(own))
    pool(own).onOutcome('ok', 1)
    expect(chosen(state, 50, hint)).toEqual(new Map([[own, 50]]))
  })

  it('of a subset takes turns among its endpoints', () => {
    const { state } = world({ endpoints: endpoints(1, 2, 3, 4, 5, 6) })
    expect([...chosen(state, 30, { hashKey: 'a', hashSubset: 3 }).values()]).toEqual([10, 10, 10])
  })

  it.each<[string, ChoiceHint]>([
    ['without a key', { hashKey: '' }],
    ['that tried the only endpoint of its key', { hashKey: 'a', tried: [] }],
  ])('%s still has an endpoint', (_, hint) => {
    const { state } = world({ endpoints: endpoints(1, 2) })
    expect(chosen(state, 10, hint).has(0)).toBe(false)
  })

  it('without a key is balanced', () => {
    expect(chosen(world({ endpoints: endpoints(1, 2) }).state, 10, { hashKey: '' })).toEqual(
      new Map([
        [1, 5],
        [2, 5],
      ]),
    )
  })
})

describe('ejection', () => {
  it('sends exactly one request as a probe after the time, and the others elsewhere until it has ended', () => {
    const { state, pool, backends } = world({ endpoints: endpoints(1, 2, 3) })
    eject(pool(1))
    expect([...chosen(state, 30).keys()].sort()).toEqual([2, 3])
    expect(backends.stats()).toMatchObject({ backends: 1, endpoints: 3, ejected: 1, unhealthy: 0 })
    pass(10_200)
    expect(chosen(state, 30).get(1)).toBe(1)
    pool(1).onOutcome('ok', 1)
    expect(chosen(state, 30).get(1)).toBe(10)
    expect(backends.stats().ejected).toBe(0)
  })

  it('does not make a probe of a request that has failed elsewhere', () => {
    const { state, pool } = world({ endpoints: endpoints(1, 2, 3) })
    eject(pool(1))
    pass(10_200)
    expect(state.choose({ tried: [pool(2)] })).toBe(pool(3))
  })

  it('uses all when all fail', () => {
    const { state, pool, backends } = world({ endpoints: endpoints(1, 2) })
    eject(pool(1))
    eject(pool(2))
    expect(chosen(state, 10)).toEqual(
      new Map([
        [1, 5],
        [2, 5],
      ]),
    )
    expect(backends.stats().ejected).toBe(0)
  })

  it('is known to every backend that has the endpoint', () => {
    const { backends, pool } = world({ endpoints: endpoints(1, 2) })
    backends.set('other', { endpoints: endpoints(1, 3) })
    eject(pool(1))
    expect(chosen(backends.get('other')!, 10)).toEqual(new Map([[3, 10]]))
  })

  it('outlives a change that keeps the endpoint', () => {
    const { state, set, pool } = world({ endpoints: endpoints(1, 2) })
    eject(pool(1))
    set({ endpoints: endpoints(1, 2, 3), balance: 'least-requests' })
    expect(chosen(state, 20).has(1)).toBe(false)
  })

  it('is never chosen by any kind of choice, but in panic or as a probe', () => {
    const outcome = fc.record({ of: fc.integer({ min: 1, max: 6 }), isRefused: fc.boolean() })
    const act = fc.oneof(
      outcome,
      fc.record({ passMs: fc.constantFrom(100, 5_000, 10_000) }),
      fc.record({ ports: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }) }),
    )
    const kind = fc.constantFrom('round-robin' as const, 'least-requests' as const, 'ewma' as const)
    fc.assert(
      fc.property(kind, fc.array(act, { maxLength: 60 }), (balance, acts) => {
        const { state, set, backends, pool } = world({ balance, endpoints: endpoints(1, 2, 3, 4, 5, 6) })
        let ports = [1, 2, 3, 4, 5, 6]
        for (const next of acts) {
          if ('passMs' in next) pass(next.passMs)
          else if ('ports' in next) {
            ports = next.ports
            set({ balance, endpoints: endpoints(...ports) })
          } else if (ports.includes(next.of)) pool(next.of).onOutcome(next.isRefused ? 'refused' : 'ok', 5)
          const isFailing = (port: number): boolean => pool(port).ejection.failingSinceMs > 0
          const wasDue = new Set(ports.filter((port) => pool(port).ejection.isDue))
          const failing = ports.filter(isFailing)
          const mayFail = failing.length === ports.length || failing.length > Math.floor(ports.length / 2)
          for (const hint of [undefined, { hashKey: 'k' }, { wanted: pool(ports[0]!).id }]) {
            const port = state.choose(hint)?.endpoint.port ?? 0
            expect(ports).toContain(port)
            if (isFailing(port) && !wasDue.delete(port)) expect(mayFail).toBe(true)
          }
        }
        backends.remove('web')
      }),
      { numRuns: 150 },
    )
  })
})

describe('slow start', () => {
  const slow = (balance: Backend['balance'], ...ports: readonly number[]): Backend => ({
    endpoints: endpoints(...ports),
    slowStartMs: 10_000,
    ...(balance === undefined ? {} : { balance }),
  })

  it.each(['round-robin', 'least-requests', 'ewma'] as const)('lets the share of a new endpoint grow (%s)', (balance) => {
    const { state, set, pool } = world(slow(balance, 1, 2))
    set(slow(balance, 1, 2, 3))
    for (const port of [1, 2, 3]) pool(port).latency.observe(10, false, deadlines.nowMs)
    const shares = [0, 5_000, 5_100].map((ms) => {
      pass(ms)
      return (chosen(state, 6_000).get(3) ?? 0) / 6_000
    })
    for (const [i, expected] of [0.1 / 2.1, 0.55 / 2.55, 1 / 3].entries())
      expect(Math.abs((shares[i] ?? 0) - expected)).toBeLessThan(0.04)
  })

  it('does not begin with the table, nor when there was no endpoint before', () => {
    const { state, set } = world(slow('round-robin', 1, 2))
    expect(chosen(state, 10)).toEqual(
      new Map([
        [1, 5],
        [2, 5],
      ]),
    )
    set(slow('round-robin'))
    set(slow('round-robin', 3, 4))
    expect(chosen(state, 10)).toEqual(
      new Map([
        [3, 5],
        [4, 5],
      ]),
    )
  })
})

describe('retries', () => {
  it('are a fifth of the requests that were chosen for, and no request themselves', () => {
    const { state, pool } = world({ endpoints: endpoints(1, 2) })
    chosen(state, 100)
    let retries = 0
    while (state.mayRetry()) {
      state.choose({ tried: [pool(1)] })
      retries++
    }
    expect(retries).toBe(20)
  })
})

describe('pools', () => {
  it('are shared by backends that connect alike, and by no others', () => {
    const { backends, state } = world({ endpoints: endpoints(1) })
    const tls = { verify: true, ca: 'A', serverName: 'a' }
    const all: readonly Backend[] = [
      { endpoints: endpoints(1), balance: 'ewma' },
      { endpoints: endpoints(1), protocol: 'h2c' },
      { endpoints: endpoints(1), protocol: 'https', tls },
      { endpoints: endpoints(1), protocol: 'https', tls: { serverName: 'a', ca: 'A', verify: true } },
      { endpoints: endpoints(1), protocol: 'https', tls: { ...tls, clientCertificate: { chain: 'c', key: 'k' } } },
    ]
    const pools = all.map((backend, i) => {
      backends.set(`${i}`, backend)
      return backends.get(`${i}`)?.choose()
    })
    expect(new Set(pools).size).toBe(4)
    expect(pools[0]).toBe(state.choose())
    expect(pools[3]).toBe(pools[2])
    expect(new Set(pools.map((pool) => pool?.id)).size).toBe(1)
    expect(pools[4]?.dial.key).not.toContain('k,')
  })
})

it('statistics are bounded, and tell first where something is wrong', () => {
  const { backends, pool } = world({ endpoints: endpoints(1, 2) })
  for (let i = 0; i < 50; i++) backends.set(`b${i}`, { endpoints: endpoints(i + 10) })
  backends.set('last', { endpoints: endpoints(5, 6) })
  eject(pool(5))
  const stats = backends.stats(2)
  expect([...stats.perBackend.keys()][0]).toBe('last')
  expect(stats.perBackend.size).toBe(2)
  expect(stats).toMatchObject({ backends: 52, endpoints: 54, ejected: 1 })
})
