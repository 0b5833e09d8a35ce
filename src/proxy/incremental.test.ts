import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Endpoint,
  type EndpointSlice,
  endpointSliceKind,
  type Node,
  nodeKind,
  type Service,
  serviceKind,
} from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { type FakeInformer, fakeInformer } from '../informers/testing/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { draining, endpoint, port, ready, service, slice, unready, vips } from '../model/testing/index.ts'
import { createProxy } from './index.ts'
import { fakeBackend } from './testing/index.ts'

interface World {
  readonly services: FakeInformer<Service>
  readonly slices: FakeInformer<EndpointSlice>
  readonly nodes: FakeInformer<Node>
}

const emptyWorld = (): World => ({
  services: fakeInformer(serviceKind),
  slices: fakeInformer(endpointSliceKind, [], { indexes: sliceIndexes }),
  nodes: fakeInformer(nodeKind),
})

const nodeObject = (zone: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': zone } },
  spec: {},
})

type Step = { readonly fails: boolean; readonly settles: boolean } & (
  | { readonly kind: 'service'; readonly object: Service }
  | { readonly kind: 'slice'; readonly object: EndpointSlice }
  | { readonly kind: 'no service'; readonly name: string }
  | { readonly kind: 'no slice'; readonly name: string }
  | { readonly kind: 'node'; readonly object: Node }
)

const name = fc.constantFrom('s0', 's1', 's2')
const conditions = fc.constantFrom(ready, unready, draining)
const anyEndpoint: fc.Arbitrary<Endpoint> = fc
  .record({
    last: fc.integer({ min: 1, max: 4 }),
    nodeName: fc.constantFrom('n1', 'n2'),
    conditions,
    zone: fc.constantFrom('a', 'b'),
  })
  .map(({ last, nodeName, conditions: { conditions: state }, zone }) =>
    endpoint(`10.1.1.${last}`, { nodeName, conditions: state, hints: { forZones: [{ name: zone }] } }),
  )
const anyService: fc.Arbitrary<Service> = fc
  .record({
    name,
    type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const, 'ExternalName' as const),
    policy: fc.constantFrom('Cluster' as const, 'Local' as const),
    shared: fc.boolean(),
    dual: fc.boolean(),
    second: fc.boolean(),
  })
  .map(({ name: serviceName, type, policy, shared, dual, second }) => {
    const index = Number(serviceName.at(-1))
    const clusterIP = `10.96.0.${index + 1}`
    return service(
      serviceName,
      {
        type,
        externalTrafficPolicy: policy,
        internalTrafficPolicy: policy,
        clusterIP,
        clusterIPs: dual ? [clusterIP, `fd00:96::${index + 1}`] : [clusterIP],
        externalIPs: shared ? ['198.51.100.1'] : [],
        ports: [port(80, { nodePort: 30_080 + index }), ...(second ? [port(81, { name: 'second' })] : [])],
      },
      { metadata: { creationTimestamp: `2026-01-0${index + 1}T00:00:00Z` }, status: vips('203.0.113.1') },
    )
  })
const anySlice = fc
  .record({ of: name, index: fc.nat(3), endpoints: fc.array(anyEndpoint, { maxLength: 4 }) })
  .map(({ of, index, endpoints }) =>
    slice(of, endpoints, { metadata: { name: `slice-${index}`, labels: { 'kubernetes.io/service-name': of } } }),
  )
const flags = { fails: fc.boolean(), settles: fc.boolean() }
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ ...flags, kind: fc.constant('service' as const), object: anyService }),
  fc.record({ ...flags, kind: fc.constant('slice' as const), object: anySlice }),
  fc.record({ ...flags, kind: fc.constant('no service' as const), name }),
  fc.record({ ...flags, kind: fc.constant('no slice' as const), name: fc.nat(3).map((index) => `slice-${index}`) }),
  fc.record({ ...flags, kind: fc.constant('node' as const), object: fc.constantFrom('a', 'b').map(nodeObject) }),
)

const play = ({ services, slices, nodes }: World, step: Step): void => {
  switch (step.kind) {
    case 'service':
      services.set(step.object)
      return
    case 'slice':
      slices.set(step.object)
      return
    case 'no service':
      services.delete({ namespace: 'default', name: step.name })
      return
    case 'no slice':
      slices.delete({ namespace: 'default', name: step.name })
      return
    case 'node':
      nodes.set(step.object)
      return
    default:
      step satisfies never
  }
}

const proxyOver = (world: World) => {
  const clock = pausedClock()
  const backend = fakeBackend()
  const proxy = createProxy({
    ...world,
    backend,
    nodeName: 'n1',
    nodePortAddresses: ['192.0.2.1'],
    podCIDRs: ['10.1.1.0/24'],
    clock,
    log: silentLogger,
  })
  return { clock, backend, proxy }
}

describe('incremental and full sync', () => {
  it('leave the backend with the same, after any history with failures', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
        const stop = new AbortController()
        const world = emptyWorld()
        const { clock, backend, proxy } = proxyOver(world)
        const running = await proxy.start(stop.signal)
        for (const step of steps) {
          if (step.fails) backend.failNext(new Error('busy'))
          play(world, step)
          if (step.settles) await clock.advance(0)
        }
        await clock.advance(300_000)
        const fresh = proxyOver(world)
        const freshRunning = await fresh.proxy.start(stop.signal)
        const sorted = (carried: typeof backend.carried) => [...carried.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
        expect(sorted(backend.carried)).toEqual(sorted(fresh.backend.carried))
        expect(sorted(new Map(proxy.forwardings().map((each) => [each.key, each])))).toEqual(sorted(backend.carried))
        stop.abort()
        await Promise.all([running.stopped, freshRunning.stopped])
      }),
      { numRuns: 60 },
    )
  })
})
