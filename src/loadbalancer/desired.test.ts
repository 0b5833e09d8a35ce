import { describe, expect, it } from 'vitest'
import type { Node, Service } from '../api/index.ts'
import { draining, endpoint, port, ready, slice } from '../model/testing/index.ts'
import { desiredLoadBalancer } from './desired.ts'
import { essenceOf } from './essence.ts'
import { orphansOf } from './orphans.ts'
import { formatPlacement, PLACEMENT_ANNOTATION, placementOf } from './placement.ts'
import { nextStatus } from './status.ts'
import { targetNodes } from './target-nodes.ts'
import { fakeCloud } from './testing/fake-cloud.ts'
import { testService } from './testing/services.ts'

const desiredOf = (service: Service, slices = [slice('web', [endpoint('10.0.0.2', { nodeName: 'n1', ...ready })])]) =>
  desiredLoadBalancer({ key: 'k', token: 't', clusterId: 'c', owners: [{ service, state: 'wanted', slices }], nodes: [] })
const ownerOf = (spec: Partial<Service['spec']>, annotations: Readonly<Record<string, string>> = {}) => {
  const service = testService('web', [80], annotations)
  const [owner] = desiredOf({ ...service, spec: { ...service.spec, ...spec } }).owners
  if (owner === undefined) throw new Error('no owner')
  return owner
}

describe('what a provider is told', () => {
  it.each([
    ['the port of the proxy', {}, { port: 10_256, path: '/healthz' }],
    [
      'that of the Service with policy Local',
      { externalTrafficPolicy: 'Local' as const, healthCheckNodePort: 31_000 },
      { port: 31_000, path: '/healthz' },
    ],
  ])('has as health check %s', (_, spec, expected) => {
    expect(ownerOf(spec).healthCheck).toEqual(expected)
  })

  it.each([
    ['nobody is kept out', {}, {}, []],
    [
      'ranges are canonical and sorted',
      { loadBalancerSourceRanges: [' 10.1.2.3/8 ', '2001:DB8::/32'] },
      {},
      ['10.0.0.0/8', '2001:db8::/32'],
    ],
    [
      'the old annotation counts',
      {},
      { 'service.beta.kubernetes.io/load-balancer-source-ranges': '192.0.2.0/24, 10.0.0.0/8' },
      ['10.0.0.0/8', '192.0.2.0/24'],
    ],
    [
      'the field comes before the annotation',
      { loadBalancerSourceRanges: ['10.0.0.0/8'] },
      { 'service.beta.kubernetes.io/load-balancer-source-ranges': '192.0.2.0/24' },
      ['10.0.0.0/8'],
    ],
    ['what cannot be read opens nothing', { loadBalancerSourceRanges: ['anywhere'] }, {}, ['0.0.0.0/32']],
  ])('of source ranges: %s', (_, spec, annotations, expected) => {
    expect(ownerOf(spec, annotations).sourceRanges).toEqual(expected)
  })

  it('has seconds of affinity only with affinity', () => {
    expect(ownerOf({}).sessionAffinitySeconds).toBeUndefined()
    expect(ownerOf({ sessionAffinity: 'ClientIP' }).sessionAffinitySeconds).toBe(10_800)
    const sessionAffinityConfig = { clientIP: { timeoutSeconds: 7 } }
    expect(ownerOf({ sessionAffinity: 'ClientIP', sessionAffinityConfig }).sessionAffinitySeconds).toBe(7)
  })

  it('has endpoints in every state, with node and pod, and no node port where none is allocated', () => {
    const pod = { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'u' }
    const slices = [
      slice('web', [endpoint('10.0.0.3', { ...draining }), endpoint('10.0.0.2', { nodeName: 'n1', targetRef: pod, ...ready })]),
    ]
    const service = testService('web', [])
    const [owner] = desiredOf({ ...service, spec: { ...service.spec, ports: [port(80, { name: '' })] } }, slices).owners
    expect(owner?.listeners).toEqual([
      {
        name: '',
        protocol: 'TCP',
        port: 80,
        nodePort: undefined,
        endpoints: [
          {
            address: '10.0.0.2',
            port: 8080,
            conditions: ready.conditions,
            nodeName: 'n1',
            pod: { namespace: 'default', name: 'web-1', uid: 'u' },
          },
          { address: '10.0.0.3', port: 8080, conditions: draining.conditions, nodeName: undefined, pod: undefined },
        ],
      },
    ])
  })

  it('is another only where somebody wants something else', () => {
    const service = testService('web', [80])
    const before = essenceOf(desiredOf(service))
    const noted = {
      ...service,
      metadata: { ...service.metadata, resourceVersion: '2', annotations: { [PLACEMENT_ANNOTATION]: 'x' } },
    }
    expect(essenceOf(desiredOf({ ...noted, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }))).toEqual(before)
    expect(essenceOf(desiredOf(ownerless(service))).intent).not.toBe(before.intent)
    expect(essenceOf(desiredOf({ ...service, metadata: { ...service.metadata, annotations: { b: '1', a: '2' } } }))).toEqual(
      essenceOf(desiredOf({ ...service, metadata: { ...service.metadata, annotations: { a: '2', b: '1' } } })),
    )
  })

  const ownerless = (service: Service): Service => ({
    ...service,
    spec: { ...service.spec, loadBalancerSourceRanges: ['10.0.0.0/8'] },
  })
})

describe('nodes that may be targets', () => {
  const node = (
    name: string,
    rest: { readonly labels?: Record<string, string>; readonly spec?: Node['spec']; readonly status?: Node['status'] } = {},
  ): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...(rest.labels === undefined ? {} : { labels: rest.labels }) },
    spec: rest.spec ?? {},
    ...(rest.status === undefined ? {} : { status: rest.status }),
  })

  it('are those that are not ready or cordoned too, not those that are excluded or being deleted', () => {
    const nodes = [
      node('plain'),
      node('not-ready', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }),
      node('cordoned', { spec: { unschedulable: true } }),
      node('excluded', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }),
      node('scaled-down', { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } }),
      { ...node('deleted'), metadata: { name: 'deleted', deletionTimestamp: '2026-01-01T00:00:00Z' } },
    ]
    expect(targetNodes(nodes).map(({ name }) => name)).toEqual(['cordoned', 'not-ready', 'plain'])
  })
})

describe('the placement on a Service', () => {
  it.each(['', 'nonsense', '[]', '{"provider":"p"}', '{"provider":"p","key":"a b","token":"t"}', 'null'])(
    'is none when it says %j',
    (text) => {
      expect(placementOf({ metadata: { name: 'web', annotations: { [PLACEMENT_ANNOTATION]: text } } })).toBeUndefined()
    },
  )

  it('is read as it was written', () => {
    const placement = { provider: 'p', key: 'default/web', token: 't' }
    expect(
      placementOf({ metadata: { name: 'web', annotations: { [PLACEMENT_ANNOTATION]: formatPlacement(placement) } } }),
    ).toEqual(placement)
  })
})

describe('the status', () => {
  const now = '2026-01-01T00:00:00Z'
  const ingress = [{ ip: '192.0.2.1', ports: [{ port: 80, protocol: 'TCP' as const, error: 'example.com/PortConflict' }] }]

  it('tells of ports that are not served, and that they are again', () => {
    const bad = nextStatus(undefined, { ingress, problems: [], now })
    expect(bad?.conditions).toMatchObject([
      { status: 'True' },
      { type: 'LoadBalancerPortsError', status: 'True', reason: 'PortConflict' },
    ])
    const good = nextStatus(bad, { ingress: [{ ip: '192.0.2.1' }], problems: [], now: '2026-01-02T00:00:00Z' })
    expect(good?.conditions?.[1]).toMatchObject({ status: 'False', lastTransitionTime: '2026-01-02T00:00:00Z' })
    expect(good?.conditions?.[0]?.lastTransitionTime).toBe(now)
  })

  it('is not written when it says the same, and keeps what others say', () => {
    const other = { type: 'example.com/Other', status: 'True' as const, reason: 'R', message: '', lastTransitionTime: now }
    const first = nextStatus({ conditions: [other] }, { ingress, problems: [], now })
    expect(first?.conditions).toContainEqual(other)
    expect(nextStatus(first, { ingress, problems: [], now: '2027-01-01T00:00:00Z' })).toBeUndefined()
  })
})

it('an orphan is what is ours and that no Service holds or wants, by key or by token', () => {
  const provider = fakeCloud().provider()
  const observed = (id: string, rest: object = {}) => ({
    id,
    key: `default/${id}`,
    token: id,
    addresses: [],
    listeners: [],
    isOwned: true,
    ...rest,
  })
  const placed = testService('held', [80], {
    [PLACEMENT_ANNOTATION]: formatPlacement({ provider: 'fake', key: 'old', token: 'by-token' }),
  })
  const all = [
    observed('wanted'),
    observed('by-token'),
    observed('lent', { isOwned: false }),
    observed('orphan'),
    observed('unmarked', { key: undefined, token: undefined }),
  ]
  expect(orphansOf(all, [testService('wanted', [80]), placed], provider).map(({ id }) => id)).toEqual(['orphan', 'unmarked'])
})
