import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { endpointSliceKind, nodeKind, type Pod, podKind, type Service, serviceKind } from '../../api/index.ts'
import { type Rig, readyNode, withControllers } from '../testing/rig.ts'
import { createEndpointSliceController } from './index.ts'

const MAX = 3
const PODS = 8

const pod = (
  index: number,
  { ready = true, port = 8080, phase = 'Running', going = false, labels = { app: 'web' } } = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `pod-${index}`,
    namespace: 'default',
    labels,
    ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['example.com/hold'] } : {}),
  },
  spec: {
    nodeName: index % 2 === 0 ? 'one' : 'two',
    containers: [{ name: 'main', image: 'echo', ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }] }],
  },
  status: {
    phase: phase as 'Running',
    podIP: `10.0.0.${index + 1}`,
    podIPs: [{ ip: `10.0.0.${index + 1}` }, { ip: `fd00::${index + 1}` }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  },
})

const service = (spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    selector: { app: 'web' },
    ipFamilies: ['IPv4'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'http' }],
    ...spec,
  },
})

/** Independent of the controller: what the slices must say, one line for each endpoint. */
const expectedLines = (pods: readonly Pod[], { spec }: Service): readonly string[] =>
  (spec.ipFamilies ?? [])
    .flatMap((family) =>
      pods
        .filter(({ metadata, status }) => metadata.labels?.['app'] === 'web' && status?.phase === 'Running')
        .map(({ metadata, status, spec: { containers } }) => {
          const serving = status?.conditions?.[0]?.status === 'True'
          const terminating = metadata.deletionTimestamp !== undefined
          const ready = spec.publishNotReadyAddresses === true || (serving && !terminating)
          const ip = status?.podIPs?.[family === 'IPv4' ? 0 : 1]?.ip
          return `${family} ${ip} ${metadata.name} :${containers[0]?.ports?.[0]?.containerPort} ${ready} ${serving} ${terminating}`
        }),
    )
    .toSorted()

const actualLines = ({ api }: Rig): readonly string[] =>
  api
    .objects(endpointSliceKind)
    .flatMap(({ addressType, ports, endpoints }) =>
      (endpoints ?? []).map(({ addresses, targetRef, conditions }) => {
        const { ready, serving, terminating } = conditions ?? {}
        return `${addressType} ${addresses[0]} ${targetRef?.name} :${ports?.[0]?.port} ${ready} ${serving} ${terminating}`
      }),
    )
    .toSorted()

const podStep = fc.record({
  do: fc.constant('pod' as const),
  index: fc.nat(PODS - 1),
  ready: fc.boolean(),
  port: fc.constantFrom(8080, 8080, 8080, 9090),
  phase: fc.constantFrom('Running', 'Running', 'Running', 'Succeeded', 'Failed'),
  going: fc.boolean(),
  labels: fc.constantFrom<Readonly<Record<string, string>>>({ app: 'web' }, { app: 'web' }, { app: 'other' }),
})
const step = fc.oneof(
  { weight: 8, arbitrary: podStep },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), index: fc.nat(PODS - 1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('service' as const),
      families: fc.constantFrom(['IPv4'], ['IPv6'], ['IPv4', 'IPv6']),
      publish: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'break' as const, 'tamper' as const) }) },
)

const perform = async (rig: Rig, action: typeof step extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
  const { api, advance } = rig
  if (action.do === 'pod') {
    const known = api.objects(podKind).find(({ metadata }) => metadata.name === `pod-${action.index}`)
    const next = pod(action.index, action as never)
    api.put(podKind, { ...next, metadata: { ...next.metadata, ...(known ? { uid: known.metadata.uid } : {}) } } as Pod)
  } else if (action.do === 'remove') api.remove(podKind, { namespace: 'default', name: `pod-${action.index}` })
  else if (action.do === 'service') {
    const { uid } = api.objects(serviceKind)[0]?.metadata ?? {}
    const next = service({ ipFamilies: action.families, publishNotReadyAddresses: action.publish })
    api.put(serviceKind, { ...next, metadata: { ...next.metadata, ...(uid ? { uid } : {}) } })
  } else if (action.do === 'break') {
    api.breakWatches()
  } else if (action.do === 'tamper') {
    const [slice] = api.objects(endpointSliceKind)
    if (slice)
      api.put(endpointSliceKind, {
        ...slice,
        endpoints: (slice.endpoints ?? []).slice(1),
        metadata: { ...slice.metadata, labels: { ...slice.metadata.labels, extra: 'x' } },
      })
  } else await advance(0)
}

const withSlices = (test: (rig: Rig) => Promise<void>): Promise<void> =>
  withControllers(
    (deps) => [createEndpointSliceController({ ...deps, maxEndpointsPerSlice: MAX })],
    async (rig) => {
      rig.api.put(nodeKind, readyNode('one'))
      rig.api.put(nodeKind, readyNode('two'))
      rig.api.put(serviceKind, service())
      await test(rig)
    },
  )

describe('EndpointSlices after any history', () => {
  it('hold exactly the endpoints of the Service, each once, in slices that are not too large', async () => {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
      withSlices(async (rig) => {
        for (const action of steps) await perform(rig, action)
        await rig.advance(30_000)
        const [current] = rig.api.objects(serviceKind)
        expect(actualLines(rig)).toEqual(expectedLines(rig.api.objects(podKind), current ?? service()))
        for (const family of current?.spec.ipFamilies ?? []) {
          const slices = rig.api.objects(endpointSliceKind).filter(({ addressType }) => addressType === family)
          expect(slices.length, 'a Service always has a slice').toBeGreaterThan(0)
          expect(Math.max(...slices.map(({ endpoints }) => endpoints?.length ?? 0))).toBeLessThanOrEqual(MAX)
        }
        rig.writes()
        await rig.advance(30_000)
        expect(rig.writes(), 'writes when nothing changes').toEqual([])
      }),
    )
    await fc.assert(property, { numRuns: 60 })
  })

  it('a change of one pod writes one slice of each family, two when its port changes', async () => {
    const property = fc.asyncProperty(fc.array(podStep, { maxLength: 20 }), podStep, (steps, last) =>
      withSlices(async (rig) => {
        for (const action of steps) await perform(rig, action)
        await rig.advance(5_000)
        rig.writes()
        await perform(rig, last)
        await rig.advance(5_000)
        expect(rig.writes().length).toBeLessThanOrEqual(2)
      }),
    )
    await fc.assert(property, { numRuns: 60 })
  })
})
