import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { endpointSliceKind, nodeKind, type Service, serviceKind } from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { fakeInformer } from '../informers/testing/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { endpoint, port, service, slice } from '../model/testing/index.ts'
import { type AuditAttempt, type AuditOutcome, createAuditor } from './audit.ts'
import type { Drift } from './backend.ts'
import { driftEvents } from './drift-events.ts'
import { createProxy } from './index.ts'
import { fakeBackend } from './testing/index.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const MINUTE = 60_000

const running = async (many: readonly Service[] = [service('web')]) => {
  const clock = pausedClock()
  const backend = fakeBackend()
  const services = fakeInformer(serviceKind, many)
  const slices = fakeInformer(
    endpointSliceKind,
    many.map(({ metadata: { name } }) => slice(name, [endpoint('10.1.1.1')])),
    { indexes: sliceIndexes },
  )
  const nodes = fakeInformer(nodeKind, [{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} }])
  const events: string[] = []
  const registry = new Registry()
  const proxy = createProxy({
    services,
    slices,
    nodes,
    backend,
    nodeName: 'n1',
    nodePortAddresses: [],
    clock,
    log: silentLogger,
    registry,
    recorder: { event: (about, { reason, message }) => void events.push(`${about.metadata.name} ${reason} ${message}`) },
  })
  const stop = new AbortController()
  const { stopped } = await proxy.start(stop.signal)
  stops.push(async () => {
    stop.abort()
    await stopped
  })
  return { proxy, backend, services, clock, events, registry }
}

const packet = {
  source: { class: 'outside', address: '198.51.100.9' },
  destination: { address: '10.96.0.10', port: 80 },
  protocol: 'TCP',
} as const

describe('the audit of a proxy', () => {
  it('repairs what somebody else removed, and tells which element of which Service', async () => {
    const { backend, clock, events, registry } = await running()
    backend.damage('IPv4 default/web')
    expect(backend.send(packet).kind).toBe('refused')
    await clock.advance(7 * MINUTE)
    expect(backend.send(packet)).toMatchObject({ kind: 'reached' })
    expect(events).toEqual(['web ProxyDrift repaired: missing: everything of IPv4 default/web'])
    const text = await registry.metrics()
    expect(text).toContain('fairway_proxy_drift_total{kind="missing"} 1')
    expect(text).toContain('fairway_proxy_audits_total{result="repaired"} 1')
  })

  it('comes soon after a foreign change', async () => {
    const { proxy, backend, clock } = await running()
    backend.damage('IPv4 default/web')
    proxy.auditSoon()
    await clock.advance(1_000)
    expect(backend.send(packet)).toMatchObject({ kind: 'reached' })
  })

  /** Nobody ends the reading but who cuts it short. */
  const FOR_EVER = new Promise<void>(() => {})

  it('lets a sync go first that comes while it reads, and starts over when that is done', async () => {
    const { proxy, backend, services, clock, registry } = await running([
      service('web'),
      service('api', { clusterIP: '10.96.0.11' }),
    ])
    backend.damage('IPv4 default/api')
    backend.holdAudits(FOR_EVER)
    proxy.auditSoon()
    await clock.advance(1_000)
    const next = backend.nextChange()
    services.set(service('web', { ports: [port(81)] }))
    expect((await next).set).toHaveLength(1)
    expect(await registry.metrics()).not.toContain('fairway_proxy_audits_total{')
    backend.holdAudits(Promise.resolve())
    await clock.advance(200)
    expect(await registry.metrics()).toContain('fairway_proxy_audits_total{result="repaired"} 1')
  })

  it('is let go to its end, and a sync waits for it, after it was cut short five times', async () => {
    const { proxy, backend, services, clock } = await running()
    backend.holdAudits(FOR_EVER)
    proxy.auditSoon()
    await clock.advance(1_000)
    for (let cut = 1; cut <= 5; cut++) {
      const next = backend.nextChange()
      services.set(service('web', { ports: [port(80 + cut)] }))
      await next
      await clock.advance(100 * 2 ** cut)
    }
    const { length } = backend.changes
    services.set(service('web', { ports: [port(90)] }))
    await clock.advance(60_000)
    expect(backend.changes).toHaveLength(length)
  })

  it('ends with the proxy', async () => {
    const { proxy, backend, clock } = await running()
    backend.holdAudits(FOR_EVER)
    proxy.auditSoon()
    await clock.advance(1_000)
    for (const stop of stops.splice(0)) await stop()
  })

  it('waits while a sync is owed', async () => {
    const { proxy, backend, services, clock, registry } = await running()
    backend.failNext(new Error('busy'), new Error('busy'), new Error('busy'))
    services.set(service('web', { ports: [port(81)] }))
    await clock.advance(0)
    proxy.auditSoon()
    await clock.advance(250)
    expect(await registry.metrics()).not.toContain('fairway_proxy_audits_total{')
    await clock.advance(5_000)
    expect(await registry.metrics()).toContain('fairway_proxy_audits_total{result="clean"} 1')
  })

  it('tells of the node alone when everything was flushed', async () => {
    const many = Array.from({ length: 20 }, (_, index) => service(`s${index}`, { clusterIP: `10.96.1.${index}` }))
    const { proxy, backend, clock, events } = await running(many)
    for (const key of [...backend.carried.keys()]) backend.damage(key)
    proxy.auditSoon()
    await clock.advance(1_000)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatch(/^n1 ProxyDrift 20 Services differed from the intent and were repaired: .* and 17 more$/)
  })
})

describe('createAuditor', () => {
  const lost: Drift = { kind: 'missing', what: 'x' }
  const auditing = (look: () => Promise<readonly Drift[] | undefined>, intervalMs = 5 * MINUTE) => {
    const clock = pausedClock()
    const audit = async (): Promise<AuditAttempt> => {
      const drift = await look()
      return drift === undefined ? { kind: 'busy' } : { kind: 'whole', drift }
    }
    const outcomes: (AuditOutcome & { readonly atMs: number })[] = []
    const report = (outcome: AuditOutcome): void => void outcomes.push({ ...outcome, atMs: clock.monotonic() })
    const auditor = createAuditor({ intervalMs, audit, report, clock, log: silentLogger, random: () => 0.5 })
    const stop = new AbortController()
    const ended = auditor.run(stop.signal)
    stops.push(async () => {
      stop.abort()
      await ended
    })
    return { auditor, clock, outcomes }
  }
  const times = (outcomes: readonly { readonly atMs: number }[]): readonly number[] => outcomes.map(({ atMs }) => atMs)

  it('runs at its interval', async () => {
    const { clock, outcomes } = auditing(async () => [])
    await clock.advance(15 * MINUTE)
    expect(times(outcomes)).toEqual([5 * MINUTE, 10 * MINUTE, 15 * MINUTE])
  })

  it('runs only when asked with the interval 0', async () => {
    const { auditor, clock, outcomes } = auditing(async () => [], 0)
    await clock.advance(60 * MINUTE)
    expect(outcomes).toEqual([])
    auditor.soon()
    await clock.advance(MINUTE)
    expect(outcomes).toHaveLength(1)
  })

  it('makes one audit of a burst of foreign changes', async () => {
    const { auditor, clock, outcomes } = auditing(async () => [lost])
    for (let i = 0; i < 5; i++) {
      auditor.soon()
      await clock.advance(10)
    }
    await clock.advance(MINUTE)
    expect(times(outcomes)).toEqual([200])
  })

  it('answers ever slower to who undoes every repair, and quickly again after a minute of peace', async () => {
    const { auditor, clock, outcomes } = auditing(async () => [lost])
    for (let i = 0; i < 4; i++) {
      const count = outcomes.length
      auditor.soon()
      while (outcomes.length === count) await clock.advance(100)
    }
    const [a = 0, b = 0, c = 0, d = 0] = times(outcomes)
    expect([a, b - a, c - b, d - c]).toEqual([200, 600, 1_800, 5_400])
    await clock.advance(2 * MINUTE)
    const askedAt = clock.monotonic()
    auditor.soon()
    await clock.advance(MINUTE)
    expect((outcomes.at(-1)?.atMs ?? 0) - askedAt).toBe(200)
  })

  it('gives way to syncs, and comes when they are done', async () => {
    let isBusy = true
    const { auditor, clock, outcomes } = auditing(async () => (isBusy ? undefined : []))
    auditor.soon()
    await clock.advance(2_000)
    expect(outcomes).toEqual([])
    isBusy = false
    await clock.advance(200)
    expect(outcomes).toHaveLength(1)
  })

  it('tries again after a failure', async () => {
    let fails = true
    const { auditor, clock, outcomes } = auditing(async () => {
      if (fails) throw new Error('no netlink')
      return [lost]
    })
    auditor.soon()
    await clock.advance(300)
    fails = false
    await clock.advance(MINUTE)
    expect(outcomes.map(({ result }) => result)).toEqual(['failed', 'repaired'])
  })

  it('stops while it waits', async () => {
    const { clock, outcomes } = auditing(async () => [])
    for (const stop of stops.splice(0)) await stop()
    await clock.advance(60 * MINUTE)
    expect(outcomes).toEqual([])
  })
})

describe('driftEvents', () => {
  const serviceOf = (key: string) => (key === 'gone' ? undefined : { namespace: 'default', name: key })
  const missing = (key?: string): Drift => ({ kind: 'missing', what: 'an element', ...(key === undefined ? {} : { key }) })
  it.each([
    ['nothing', [], []],
    ['two of one Service', [missing('web'), missing('web')], ['web: repaired: missing: an element; missing: an element']],
    [
      'of two Services',
      [missing('web'), missing('api')],
      ['web: repaired: missing: an element', 'api: repaired: missing: an element'],
    ],
    ['of no Service', [missing()], ['node: repaired: missing: an element']],
    ['of a Service that is gone', [missing('gone')], ['node: repaired: missing: an element']],
    ['a foreign thing', [{ kind: 'foreign' as const, what: 'chain x' }], ['node: repaired: foreign: chain x']],
  ])('%s', (_title, drift, expected) => {
    expect(
      driftEvents(drift, serviceOf).map(({ service: about, event }) => `${about?.name ?? 'node'}: ${event.message}`),
    ).toEqual(expected)
  })
})
