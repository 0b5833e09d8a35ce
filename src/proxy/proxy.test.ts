import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { type EndpointSlice, endpointSliceKind, nodeKind, type Service, serviceKind } from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { type PausedClock, pausedClock } from '../base/testing/paused-clock.ts'
import { fakeInformer } from '../informers/testing/index.ts'
import { serviceForwarding, sliceIndexes } from '../model/index.ts'
import { endpoint, node, port, service, slice, vips } from '../model/testing/index.ts'
import { statusEvent } from './apply.ts'
import { createProxy, explain, type FrontendStatus, type ProxyOptions } from './index.ts'
import { fakeBackend } from './testing/index.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface SetUp {
  readonly services?: readonly Service[]
  readonly slices?: readonly EndpointSlice[]
  readonly synced?: boolean
  readonly clock?: PausedClock
}

const setUp = (initial: SetUp = {}, options: Partial<ProxyOptions> = {}) => {
  const synced = initial.synced ?? true
  const services = fakeInformer(serviceKind, initial.services ?? [], { synced })
  const slices = fakeInformer(endpointSliceKind, initial.slices ?? [], { indexes: sliceIndexes, synced })
  const backend = fakeBackend()
  const events: string[] = []
  const proxy = createProxy({
    services,
    slices,
    backend,
    nodeName: 'n1',
    nodeAddresses: ['192.0.2.1'],
    nodePortAddresses: ['192.0.2.1'],
    podCIDRs: ['10.1.1.0/24'],
    clock: initial.clock ?? pausedClock(),
    log: silentLogger,
    recorder: { event: (about, { reason, message }) => void events.push(`${about.metadata.name} ${reason} ${message}`) },
    ...options,
  })
  const start = async (): Promise<void> => {
    const stop = new AbortController()
    const { stopped } = await proxy.start(stop.signal)
    stops.push(async () => {
      stop.abort()
      await stopped
    })
  }
  return { services, slices, backend, proxy, events, start }
}

const send = (backend: ReturnType<typeof fakeBackend>, address: string, number: number, source = '10.1.1.9') => {
  const from = source.startsWith('10.1.1.') ? ('pod' as const) : ('outside' as const)
  return backend.send({ source: { class: from, address: source }, destination: { address, port: number }, protocol: 'TCP' })
}

describe('proxy', () => {
  it('carries what is there in one full change', async () => {
    const { backend, start } = setUp({ services: [service('web')], slices: [slice('web', [endpoint('10.1.1.1')])] })
    await start()
    expect(backend.changes).toHaveLength(1)
    expect(backend.changes[0]?.full).toBe(true)
    expect(send(backend, '10.96.0.10', 80)).toMatchObject({ kind: 'reached', endpoint: '10.1.1.1:8080' })
  })

  it('does nothing before both caches are complete', async () => {
    const { backend, services, slices, proxy } = setUp({ services: [service('web')], synced: false })
    const stop = new AbortController()
    const starting = proxy.start(stop.signal)
    services.sync()
    await new Promise((resolve) => setImmediate(resolve))
    expect(backend.changes).toHaveLength(0)
    slices.sync()
    const { stopped } = await starting
    expect(backend.changes).toHaveLength(1)
    stop.abort()
    await stopped
  })

  it('stops while it waits for the caches', async () => {
    const { proxy } = setUp({ synced: false })
    const stop = new AbortController()
    const starting = proxy.start(stop.signal)
    stop.abort()
    await (await starting).stopped
  })

  it('tells the backend only of the Service that changed', async () => {
    const many = Array.from({ length: 50 }, (_, index) => `10.96.1.${index}`)
    const { backend, slices, start } = setUp({ services: many.map((clusterIP, index) => service(`s${index}`, { clusterIP })) })
    await start()
    const next = backend.nextChange()
    slices.set(slice('s7', [endpoint('10.1.1.1')]))
    const change = await next
    expect(change.full).toBe(false)
    expect(change.set.map(({ key }) => key)).toEqual(['IPv4 default/s7'])
    expect(change.delete).toEqual([])
  })

  it('tells the backend nothing when the meaning stays the same', async () => {
    const { backend, services, start } = setUp({ services: [service('web'), service('api', { clusterIP: '10.96.0.11' })] })
    await start()
    const next = backend.nextChange()
    services.set(service('web', {}, { metadata: { annotations: { note: 'changed' } } }))
    services.set(service('api', { clusterIP: '10.96.0.11', ports: [port(81)] }))
    expect((await next).set.map(({ name }) => name)).toEqual(['api'])
    expect(backend.changes).toHaveLength(2)
  })

  it('moves a slice from one Service to another when its label changes', async () => {
    const { backend, slices, start } = setUp({
      services: [service('web'), service('api', { clusterIP: '10.96.0.11' })],
      slices: [slice('web', [endpoint('10.1.1.1')], { metadata: { name: 'x' } })],
    })
    await start()
    const next = backend.nextChange()
    slices.set(slice('api', [endpoint('10.1.1.1')], { metadata: { name: 'x', labels: { 'kubernetes.io/service-name': 'api' } } }))
    await next
    expect(send(backend, '10.96.0.10', 80)).toEqual({ kind: 'refused' })
    expect(send(backend, '10.96.0.11', 80)).toMatchObject({ endpoint: '10.1.1.1:8080' })
  })

  it('repeats a failed change after a back-off, also what has gone back meanwhile', async () => {
    const clock = pausedClock()
    const web = service('web')
    const { backend, services, start } = setUp({ services: [web], slices: [slice('web', [endpoint('10.1.1.1')])], clock })
    await start()
    backend.failNext(new Error('busy'))
    services.set(service('web', { ports: [port(81)] }))
    await clock.advance(0)
    services.set(web)
    const next = backend.nextChange()
    await clock.advance(1_000)
    expect((await next).set.map(({ name }) => name)).toEqual(['web'])
  })

  it('tells the backend again of what the kernel refused, ever more rarely, until it is taken', async () => {
    const clock = pausedClock()
    const { backend, services, events, start } = setUp({ services: [service('api', { clusterIP: '10.96.0.11' })], clock })
    await start()
    backend.refuse('IPv4 default/web', true)
    services.set(service('web'))
    await clock.advance(0)
    expect(events).toEqual(['web FailedToProgram no room'])
    const changesIn = async (ms: number) => {
      const before = backend.changes.length
      await clock.advance(ms)
      return backend.changes.slice(before).flatMap(({ set }) => set.map(({ name }) => name))
    }
    expect(await changesIn(4_000)).toEqual([])
    expect(await changesIn(1_000)).toEqual(['web'])
    expect(await changesIn(20_000)).toEqual(['web'])
    expect(await changesIn(79_000)).toEqual([])
    backend.refuse('IPv4 default/web', false)
    expect(await changesIn(3_600_000)).toEqual([])
    // The next one begins anew.
    backend.refuse('IPv4 default/api', true)
    services.set(service('api', { clusterIP: '10.96.0.11', ports: [port(81)] }))
    expect(await changesIn(5_000)).toEqual(['api', 'api'])
  })

  it('gives a contested external address to the older Service, and passes it on when that goes', async () => {
    const created = (creationTimestamp: string) => ({ metadata: { creationTimestamp } })
    const { backend, services, events, start } = setUp({
      services: [
        service('young', { externalIPs: ['198.51.100.1'], clusterIP: '10.96.0.11' }, created('2026-02-01T00:00:00Z')),
        service('old', { externalIPs: ['198.51.100.1'] }, created('2026-01-01T00:00:00Z')),
      ],
      slices: [slice('young', [endpoint('10.1.1.2')]), slice('old', [endpoint('10.1.1.1')])],
    })
    await start()
    expect(send(backend, '198.51.100.1', 80)).toMatchObject({ endpoint: '10.1.1.1:8080' })
    expect(events).toEqual(['young FrontendConflict TCP 198.51.100.1 80 belongs to the older IPv4 default/old'])
    const next = backend.nextChange()
    services.delete({ namespace: 'default', name: 'old' })
    await next
    expect(send(backend, '198.51.100.1', 80)).toMatchObject({ endpoint: '10.1.1.2:8080' })
  })

  it('follows the zone of its node', async () => {
    const nodeObject = (zone: string) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': zone } },
      spec: {},
    })
    const nodes = fakeInformer(nodeKind, [nodeObject('a')])
    const hinted = (address: string, zone: string) => endpoint(address, { hints: { forZones: [{ name: zone }] } })
    const { backend, start } = setUp(
      { services: [service('web')], slices: [slice('web', [hinted('10.1.1.1', 'a'), hinted('10.1.1.2', 'b')])] },
      { nodes },
    )
    await start()
    expect(send(backend, '10.96.0.10', 80)).toMatchObject({ endpoint: '10.1.1.1:8080' })
    const next = backend.nextChange()
    nodes.set(nodeObject('b'))
    await next
    expect(send(backend, '10.96.0.10', 80)).toMatchObject({ endpoint: '10.1.1.2:8080' })
  })

  it('does nothing at a heartbeat of its node', async () => {
    const nodeObject = (heartbeat: string) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', annotations: { heartbeat } },
      spec: {},
    })
    const nodes = fakeInformer(nodeKind, [nodeObject('1')])
    let listed = 0
    const { backend, services, start, proxy } = setUp({ services: [service('web')] }, { nodes })
    const list = services.list
    services.list = (...args) => {
      listed++
      return list(...args)
    }
    await start()
    const atStart = listed
    const next = backend.nextChange()
    nodes.set(nodeObject('2'))
    services.set(service('web', { ports: [port(81)] }))
    await next
    expect(listed).toBe(atStart)
    expect(proxy.isHealthy()).toBe(true)
  })

  it('follows what the machine tells of the node', async () => {
    let addresses = ['192.0.2.1']
    let tell = (): void => {}
    const machine = {
      current: () => ({ nodePortAddresses: addresses }),
      onChange: (handler: () => void) => {
        tell = handler
        return () => {}
      },
    }
    const { backend, start } = setUp(
      {
        services: [service('web', { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] })],
        slices: [slice('web', [endpoint('10.1.1.1')])],
      },
      { machine },
    )
    await start()
    expect(send(backend, '192.0.2.2', 30_080)).toEqual({ kind: 'refused' })
    const next = backend.nextChange()
    addresses = ['192.0.2.2']
    tell()
    await next
    expect(send(backend, '192.0.2.2', 30_080)).toMatchObject({ endpoint: '10.1.1.1:8080' })
  })

  it('writes an Event about a field that cannot be honoured, once', async () => {
    const { backend, services, events, start } = setUp({ services: [service('web', { externalIPs: ['0.0.0.0'] })] })
    await start()
    const next = backend.nextChange()
    services.set(service('web', { externalIPs: ['0.0.0.0'], ports: [port(81)] }))
    await next
    expect(events).toEqual(['web ServiceProxyIgnoredField spec.externalIPs[0] "0.0.0.0": ForbiddenAddress'])
  })

  it('counts as kube-proxy does', async () => {
    const registry = new Registry()
    const clock = pausedClock()
    const { backend, slices, start } = setUp(
      { services: [service('web', { internalTrafficPolicy: 'Local' })], clock },
      { registry },
    )
    await start()
    const next = backend.nextChange()
    slices.set(
      slice('web', [endpoint('10.1.2.1', { nodeName: 'n2' })], {
        metadata: {
          name: 'web-1',
          labels: { 'kubernetes.io/service-name': 'web' },
          annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(clock.now() - 2_000).toISOString() },
        },
      }),
    )
    await next
    await clock.advance(0)
    const text = await registry.metrics()
    expect(text).toContain('kubeproxy_sync_full_proxy_rules_duration_seconds_count 1')
    expect(text).toContain('kubeproxy_sync_partial_proxy_rules_duration_seconds_count 1')
    expect(text).toContain('kubeproxy_network_programming_duration_seconds_sum 2')
    expect(text).toContain('kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"} 1')
  })
})

/** A frontend. */
const REF = {
  key: 'k',
  namespace: 'default',
  name: 'web',
  kind: 'ClusterIP',
  protocol: 'TCP',
  address: '10.96.0.10',
  port: 80,
} as const

describe('the Event of a frontend', () => {
  it.each([
    [{ ...REF, state: 'failed', code: 'EADDRINUSE', message: 'm' }, 'FailedToListen'],
    [{ ...REF, state: 'failed', code: 'E2BIG', message: 'm' }, 'FailedToProgram'],
    [{ ...REF, state: 'substituted', substitute: 10_080, message: 'm' }, 'SubstitutePort'],
    [{ ...REF, state: 'serving' }, undefined],
    [{ ...REF, state: 'gone' }, undefined],
  ] as const)('%o: %s', (status, reason) => {
    expect(statusEvent(status)?.reason).toBe(reason)
  })
})

describe('explain', () => {
  it('names the Service, the rule and why each endpoint was or was not chosen', async () => {
    const { proxy, start } = setUp({
      services: [service('web', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }, { status: vips('203.0.113.1') })],
      slices: [
        slice('web', [
          endpoint('10.1.1.1', { nodeName: 'n1' }),
          endpoint('10.1.1.2', { nodeName: 'n1', conditions: { ready: false } }),
          endpoint('10.1.2.1', { nodeName: 'n2' }),
        ]),
      ],
    })
    await start()
    const told = proxy.explain({ address: '203.0.113.1', port: 80, source: { class: 'outside' } })
    expect(told?.service).toEqual({ namespace: 'default', name: 'web' })
    expect(told?.verdict).toMatchObject({ kind: 'dnat', reason: 'ExternalPolicyLocal' })
    expect(told?.endpoints.map(({ endpoint: { address }, isCandidate, reason }) => [address, isCandidate, reason])).toEqual([
      ['10.1.1.1', true, 'Ready'],
      ['10.1.1.2', false, 'NotReady'],
      ['10.1.2.1', false, 'OnOtherNode'],
    ])
  })

  it('adds what the packet meets, in the words of the mode', async () => {
    const { proxy, start } = setUp({ services: [service('web')] })
    await start()
    expect(proxy.explain({ address: '10.96.0.10', port: 80 })).toMatchObject({
      mode: 'fake',
      trace: ['forwarding IPv4 default/web'],
    })
  })

  it.each([
    ['an undefined port of a ClusterIP', { address: '10.96.0.10', port: 81 }, 'reject'],
    ['an address of nobody', { address: '10.96.0.99', port: 80 }, 'none'],
  ])('knows %s', async (_title, query, kind) => {
    const { proxy, start } = setUp({ services: [service('web')] })
    await start()
    expect(proxy.explain(query)?.verdict.kind).toBe(kind)
  })

  it('takes a substitute port for the port that it stands for', () => {
    const meaning = serviceForwarding(
      { service: service('web'), slices: [slice('web', [endpoint('10.1.1.1')])], node: node() },
      'IPv4',
    )
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    const status: FrontendStatus = { ...REF, state: 'substituted', substitute: 10_080, message: 'served on 10080' }
    const input = { forwardings: [meaning.forwarding], node: node(), exceptions: [status], mode: 'fake', trace: () => [] }
    const told = explain(input, { address: '10.96.0.10', port: 10_080 })
    expect(told?.verdict.kind).toBe('dnat')
    expect(told?.exceptions).toEqual([status])
  })

  it('refuses what is no address', () => {
    expect(setUp().proxy.explain({ address: 'web.default', port: 80 })).toBeUndefined()
  })
})
