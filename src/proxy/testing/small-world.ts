import fc from 'fast-check'
import type { IPFamily } from '../../ip/index.ts'
import { type Forwarding, type NodeView, type Packet, serviceForwarding } from '../../model/index.ts'
import { draining, endpoint, port, ready, service, slice, unready, vips } from '../../model/testing/index.ts'

/** The same small world in both families. */
const WORLDS = {
  IPv4: {
    of: (last: number, net: string) => `${net === 'pod' ? '10.1.1' : net === 'svc' ? '10.96.0' : '203.0.113'}.${last}`,
    pods: '10.1.1.0/24',
    range: '10.1.1.0/28',
    far: '203.0.113.9',
  },
  IPv6: {
    of: (last: number, net: string) => `fd00:${net === 'pod' ? '1' : net === 'svc' ? '96' : '2'}::${last.toString(16)}`,
    pods: 'fd00:1::/64',
    range: 'fd00:1::/124',
    far: 'fd00:2::9',
  },
} as const

/** The node of that world, with or without a local detector. */
export const nodeOf = (family: IPFamily, hasPods: boolean, masqueradeAll: boolean): NodeView => {
  const { of, pods } = WORLDS[family]
  return {
    name: 'n1',
    zone: 'a',
    addresses: [of(2, 'out'), of(1, 'out')],
    podCIDRs: hasPods ? [pods] : [],
    nodePortAddresses: [of(1, 'out')],
    masqueradeAll,
  }
}

/** One of three Services with every kind of frontend. */
export interface DrawnService {
  readonly index: number
  readonly isAffine: boolean
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  readonly filter: 'none' | 'pods' | 'far' | 'both'
  readonly protocols: readonly ('TCP' | 'UDP' | 'SCTP')[]
  readonly pods: readonly { readonly last: number; readonly nodeName: string; readonly state: typeof ready }[]
}

const drawService: fc.Arbitrary<DrawnService> = fc.record({
  index: fc.integer({ min: 0, max: 2 }),
  isAffine: fc.boolean(),
  internalLocal: fc.boolean(),
  externalLocal: fc.boolean(),
  filter: fc.constantFrom('none', 'pods', 'far', 'both'),
  protocols: fc.uniqueArray(fc.constantFrom('TCP', 'UDP', 'SCTP'), { minLength: 1 }),
  pods: fc.uniqueArray(
    fc.record({
      last: fc.integer({ min: 1, max: 6 }),
      nodeName: fc.constantFrom('n1', 'n2'),
      state: fc.constantFrom(ready, unready, draining),
    }),
    { selector: ({ last }) => last, maxLength: 6 },
  ),
})

export interface Place {
  readonly family: IPFamily
  readonly node: NodeView
}

export const forwardingOf = ({ family, node }: Place, { index, pods, protocols, ...rest }: DrawnService): Forwarding => {
  const { of, range, far } = WORLDS[family]
  const ranges = {
    none: [],
    pods: [range],
    far: [far.includes(':') ? `${far}/128` : `${far}/32`],
    both: [range, far.includes(':') ? '::/0' : '0.0.0.0/0'],
  }[rest.filter]
  const clusterIP = of(10 + index, 'svc')
  const object = service(
    `s${index}`,
    {
      type: 'LoadBalancer',
      clusterIP,
      clusterIPs: [clusterIP],
      externalIPs: [of(30 + index, 'out')],
      loadBalancerSourceRanges: ranges,
      sessionAffinity: rest.isAffine ? 'ClientIP' : 'None',
      internalTrafficPolicy: rest.internalLocal ? 'Local' : 'Cluster',
      externalTrafficPolicy: rest.externalLocal ? 'Local' : 'Cluster',
      ports: protocols.map((protocol, at) =>
        port(80, { name: protocol.toLowerCase(), protocol, nodePort: 30_000 + index * 10 + at }),
      ),
    },
    { status: vips(of(50 + index, 'out')) },
  )
  const endpoints = pods.map(({ last, nodeName, state }) => endpoint(of(last, 'pod'), { nodeName, ...state }))
  const ports = protocols.map((protocol) => ({ port: 8080, protocol, name: protocol.toLowerCase() }))
  const meaning = serviceForwarding(
    { service: object, slices: [slice(`s${index}`, endpoints, { addressType: family, ports })], node },
    family,
  )
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

/** Packets from every class of source to every frontend, and to a port that there is not. */
export const packetsTo = ({ family, node }: Place, forwarding: Forwarding): readonly Packet[] => {
  const { of, far } = WORLDS[family]
  const podClass = node.podCIDRs.length > 0 ? 'pod' : 'outside'
  const sources = [
    { class: podClass, address: of(1, 'pod') },
    { class: podClass, address: of(99, 'pod') },
    { class: 'node', address: of(1, 'out') },
    { class: 'outside', address: far },
  ] as const
  const places = forwarding.ports.flatMap(({ protocol, frontends }) =>
    frontends.map((frontend) => ({ protocol, address: frontend.address ?? of(1, 'out'), port: frontend.port })),
  )
  const unknown = { protocol: 'TCP' as const, address: forwarding.clusterIP, port: 99 }
  return [...places, unknown].flatMap(({ protocol, ...destination }) =>
    sources.map((source) => ({ source, destination, protocol })),
  )
}

/** What happens next. */
export type Step =
  | { readonly kind: 'set'; readonly drawn: DrawnService }
  | { readonly kind: 'delete'; readonly index: number }
  | { readonly kind: 'fail' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'restart' }

export const drawStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: drawService.map((each) => ({ kind: 'set' as const, drawn: each })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }).map((index) => ({ kind: 'delete' as const, index })) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'fail' as const }, { kind: 'flush' as const }, { kind: 'restart' as const }) },
)
