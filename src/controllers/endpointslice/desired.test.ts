import { describe, expect, it } from 'vitest'
import type { EndpointSlice, Node, Pod, Service } from '../../api/index.ts'
import { serviceKind } from '../../api/index.ts'
import { desiredEndpoints } from './desired.ts'
import { diffSlices } from './diff.ts'
import { sliceLabels } from './labels.ts'
import { targetPort } from './ports.ts'
import { triggered } from './trigger-time.ts'
import { zoneShares } from './zones.ts'

const service = (spec: Partial<Service['spec']> = {}, annotations: Readonly<Record<string, string>> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'service-uid',
    annotations,
    labels: { team: 'a', 'kubernetes.io/service-name': 'liar' },
  },
  spec: {
    selector: { app: 'web' },
    ipFamilies: ['IPv4'],
    clusterIP: '10.96.0.1',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
    ...spec,
  },
})

const pod = (
  name: string,
  rest: {
    readonly spec?: Partial<Pod['spec']>
    readonly ip?: string
    readonly ready?: boolean
    readonly phase?: 'Running' | 'Failed'
    readonly going?: boolean
  } = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    labels: { app: 'web' },
    ...(rest.going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: { nodeName: 'one', containers: [], ...rest.spec },
  status: {
    phase: rest.phase ?? 'Running',
    podIP: rest.ip ?? `10.0.0.${name.length}`,
    conditions: [{ type: 'Ready', status: rest.ready === false ? 'False' : 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  },
})

const node = (name: string, zone?: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone } },
  spec: {},
})

const snapshot = (pods: readonly Pod[], of = service(), nodes: readonly Node[] = [node('one', 'z1'), node('two', 'z2')]) => ({
  service: of,
  pods,
  slices: [],
  node: (name: string) => nodes.find(({ metadata }) => metadata.name === name),
  zones: () => zoneShares(nodes),
})

describe('endpoints of a Service', () => {
  it.each([
    ['a ready pod', {}, {}, { ready: true, serving: true, terminating: false }],
    ['one that is not ready', { ready: false }, {}, { ready: false, serving: false, terminating: false }],
    ['one that terminates and still serves', { going: true }, {}, { ready: false, serving: true, terminating: true }],
    [
      'one that is published though not ready',
      { ready: false },
      { publishNotReadyAddresses: true },
      { ready: true, serving: false, terminating: false },
    ],
    [
      'one that is published though it terminates',
      { going: true, ready: false },
      { publishNotReadyAddresses: true },
      { ready: true, serving: false, terminating: true },
    ],
  ] as const)('says of %s what it is', (_, rest, spec, conditions) => {
    const { groups } = desiredEndpoints(snapshot([pod('a', rest)], service(spec)))
    expect(groups[0]?.endpoints[0]?.conditions).toEqual(conditions)
  })

  it('leaves out pods that ended, also when not ready ones are published, and pods without address', () => {
    const pods = [pod('a', { phase: 'Failed' }), pod('b', { ip: '' }), pod('c', { ip: 'fd00::1' })]
    expect(desiredEndpoints(snapshot(pods, service({ publishNotReadyAddresses: true }))).groups).toEqual([])
  })

  it('carries node, zone, pod, and the hostname only under its own subdomain', () => {
    const pods = [
      pod('a', { spec: { hostname: 'h', subdomain: 'web' } }),
      pod('bb', { spec: { hostname: 'h', subdomain: 'other' } }),
    ]
    const endpoints = desiredEndpoints(snapshot(pods)).groups[0]?.endpoints
    expect(endpoints?.[0]).toMatchObject({
      addresses: ['10.0.0.1'],
      hostname: 'h',
      nodeName: 'one',
      zone: 'z1',
      targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'uid-a' },
    })
    expect(endpoints?.[1]?.hostname).toBeUndefined()
  })

  it('waits for the Node of a pod, unless not ready ones are published', () => {
    const pods = [pod('a', { spec: { nodeName: 'nosuch' } })]
    expect(desiredEndpoints(snapshot(pods))).toMatchObject({ groups: [], skipped: [{ pod: 'a', reason: 'NodeMissing' }] })
    expect(desiredEndpoints(snapshot(pods, service({ publishNotReadyAddresses: true }))).groups).toHaveLength(1)
  })

  it('groups by the ports that pods really have', () => {
    const named = (port: number, protocol: 'TCP' | 'UDP' = 'TCP') => ({
      containers: [{ name: 'm', image: 'i', ports: [{ name: 'http', containerPort: port, protocol }] }],
    })
    const pods = [
      pod('a', { spec: named(8080) }),
      pod('bb', { spec: named(9090) }),
      pod('ccc', { spec: named(8080) }),
      pod('dddd', { spec: named(8080, 'UDP') }),
    ]
    const { groups } = desiredEndpoints(
      snapshot(
        pods,
        service({ ports: [{ name: 'web', port: 80, protocol: 'TCP', targetPort: 'http', appProtocol: 'kubernetes.io/h2c' }] }),
      ),
    )
    const shown = groups.map(({ ports, endpoints }) => [ports[0]?.port, endpoints.map(({ targetRef }) => targetRef?.name).join()])
    expect(shown).toEqual([
      [undefined, 'dddd'],
      [8080, 'a,ccc'],
      [9090, 'bb'],
    ])
    expect(groups[1]?.ports).toEqual([{ name: 'web', protocol: 'TCP', port: 8080, appProtocol: 'kubernetes.io/h2c' }])
  })

  it('finds a named port in sidecars, not in init containers that end', () => {
    const container = (port: number, restartPolicy?: string) => ({
      name: 'x',
      image: 'i',
      ports: [{ name: 'http', containerPort: port, protocol: 'TCP' as const }],
      ...(restartPolicy ? { restartPolicy } : {}),
    })
    const port = { port: 80, protocol: 'TCP' as const, targetPort: 'http' }
    expect(targetPort(port, pod('a', { spec: { initContainers: [container(1), container(2, 'Always')] } }))).toBe(2)
    expect(targetPort(port, pod('a', { spec: { containers: [container(3)], initContainers: [container(2, 'Always')] } }))).toBe(3)
  })

  it('hints at the zone, or at the node too, all or nothing', () => {
    const pods = [pod('a'), pod('bb', { spec: { nodeName: 'two' } }), pod('ccc', { ready: false })]
    const hints = (of: Service, nodes?: readonly Node[]) =>
      desiredEndpoints(snapshot(pods, of, nodes)).groups[0]?.endpoints.map((endpoint) => endpoint.hints)
    const zones = [{ forZones: [{ name: 'z1' }] }, { forZones: [{ name: 'z2' }] }, undefined]
    expect(hints(service({ trafficDistribution: 'PreferClose' }))).toEqual(zones)
    expect(hints(service({ trafficDistribution: 'PreferSameZone' }))).toEqual(zones)
    expect(hints(service({ trafficDistribution: 'PreferSameNode' }))?.[1]).toEqual({
      forZones: [{ name: 'z2' }],
      forNodes: [{ name: 'two' }],
    })
    const none = [undefined, undefined, undefined]
    expect(hints(service({ trafficDistribution: 'PreferClose' }), [node('one', 'z1'), node('two')])).toEqual(none)
    expect(hints(service({ trafficDistribution: 'PreferClose' }, { 'service.kubernetes.io/topology-mode': 'Auto' }))).toEqual(
      none,
    )
    expect(hints(service())).toEqual(none)
  })
})

describe('packing', () => {
  const owner = { kind: serviceKind, object: service(), labels: sliceLabels(service()) }
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'service-uid', controller: true, blockOwnerDeletion: true },
  ]
  const group = (names: readonly string[]) =>
    desiredEndpoints(snapshot(names.map((name) => pod(name, { ip: `10.0.0.${name.charCodeAt(0)}` }))))
  const slice = (name: string, names: readonly string[]): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      labels: owner.labels,
      ownerReferences,
      creationTimestamp: `2026-01-01T00:00:0${name}Z`,
    },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: group(names).groups[0]?.endpoints ?? [],
  })
  const plan = (slices: readonly EndpointSlice[], names: readonly string[]): readonly string[] =>
    diffSlices({ owner, slices }, group(names), { maxEndpointsPerSlice: 3, placeholder: true }).map(
      ({ type, slice: { metadata, endpoints } }) =>
        `${type} ${metadata.name}: ${(endpoints ?? []).map(({ targetRef }) => targetRef?.name).join('')}`,
    )

  it.each([
    [
      'nothing, when nothing differs',
      [
        ['1', 'abc'],
        ['2', 'de'],
      ],
      'abcde',
      [],
    ],
    [
      'a removal where it is',
      [
        ['1', 'abc'],
        ['2', 'de'],
      ],
      'abce',
      ['update 2: e'],
    ],
    [
      'new ones into a slice that changes anyway',
      [
        ['1', 'abc'],
        ['2', 'de'],
      ],
      'abdef',
      ['update 1: abf'],
    ],
    [
      'new ones into the fullest slice with room',
      [
        ['1', 'a'],
        ['2', 'bc'],
      ],
      'abcd',
      ['update 2: bcd'],
    ],
    ['a new slice when none has room', [['1', 'abc']], 'abcd', ['create : d']],
    [
      'never a move for balance',
      [
        ['1', 'abc'],
        ['2', 'd'],
      ],
      'abcd',
      [],
    ],
    [
      'a slice that is empty goes',
      [
        ['1', 'abc'],
        ['2', 'd'],
      ],
      'abc',
      ['delete 2: d'],
    ],
    [
      'a create and a delete become one update',
      [
        ['1', 'abc'],
        ['2', 'd'],
      ],
      'abcef',
      ['update 2: ef'],
    ],
    ['no endpoint leaves a placeholder', [['1', 'abc']], '', ['update 1: ']],
    ['a placeholder from the start', [], '', ['create : ']],
    [
      'a double is removed once',
      [
        ['1', 'abc'],
        ['2', 'c'],
      ],
      'abc',
      ['delete 2: c'],
    ],
  ] as const)('%s', (_, before, after, expected) => {
    const slices = before.map(([name, names]) => slice(name, [...names]))
    expect(plan(slices, [...after])).toEqual(expected)
  })

  it("labels are the Service's without those that mean something on a slice, and a wrong label is mended", () => {
    expect(sliceLabels(service({ clusterIP: 'None' }))).toEqual({
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'service.kubernetes.io/headless': '',
    })
    const wrong = slice('1', ['a'])
    expect(plan([{ ...wrong, metadata: { ...wrong.metadata, labels: { ...owner.labels, team: 'b' } } }], ['a'])).toEqual([
      'update 1: a',
    ])
  })

  it('creates nothing for a Service that is being deleted', () => {
    const going = {
      ...owner,
      object: { ...service(), metadata: { ...service().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    }
    expect(diffSlices({ owner: going, slices: [] }, group(['a']), { maxEndpointsPerSlice: 3, placeholder: true })).toEqual([])
  })
})

describe('trigger time', () => {
  it('is that of the oldest change since the last sync', () => {
    const at = (name: string, time: string): Pod => {
      const made = pod(name)
      return { ...made, status: { ...made.status, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: time }] } }
    }
    const first = triggered(undefined, service(), [at('a', '2026-01-01T00:00:05Z'), at('b', '2026-01-01T00:00:03Z')])
    expect(first.oldest).toBe('2026-01-01T00:00:03Z')
    expect(triggered(first.times, service(), [at('a', '2026-01-01T00:00:05Z')]).oldest).toBeUndefined()
    expect(triggered(first.times, service(), [at('a', '2026-01-01T00:00:09Z'), at('b', '2026-01-01T00:00:03Z')]).oldest).toBe(
      '2026-01-01T00:00:09Z',
    )
  })
})
