import {
  type CIDR,
  cidrContainsCIDR,
  cidrOf,
  firstAddress,
  formatCIDR,
  type IPFamily,
  lastAddress,
  readCIDR,
} from '../../../ip/index.ts'
import { realText, serverText } from '../../../kernel/ipvs/index.ts'
import { canonical, type Forwarding, type Frontend, type NodeView, type PortForwarding } from '../../../model/index.ts'
import { nodePortAddresses, type Place, type Plan, planOf, SOURCES } from './holders.ts'
import { familyOfAddress, type Item } from './items.ts'
import { type SetKey, setName } from './sets.ts'

export interface RenderContext {
  readonly node: NodeView
  readonly scheduler: string
}

/** All that a Service needs in the kernel. */
export const renderForwarding = (forwarding: Forwarding, context: RenderContext): readonly Item[] => {
  const { family } = forwarding
  const own = new Set([...context.node.addresses, ...context.node.nodePortAddresses].map(canonical))
  // An external address may be the node's own: it is on a device already, and the node answers there on other ports.
  const addresses = new Set([
    forwarding.clusterIP,
    ...forwarding.ports.flatMap(({ frontends }) => frontends.flatMap(({ address }) => address ?? [])),
  ])
  return [
    ...[...addresses]
      .filter((address) => !own.has(address))
      .flatMap((address): Item[] => [{ kind: 'address', address }, member(family, 'IPVS-IPS', address)]),
    ...forwarding.ports.flatMap((port) => renderPort(forwarding, port, context)),
  ]
}

/** The elements that depend on the node alone. */
export const renderNode = (family: IPFamily, node: NodeView, serviceCIDRs: readonly string[]): readonly Item[] => [
  ...netsOf(node.podCIDRs, family).map((net) => member(family, 'PODS', net)),
  ...netsOf(serviceCIDRs, family).map((net) => member(family, 'SERVICE-CIDRS', net)),
  ...nodePortAddresses(node)
    .filter((address) => familyOfAddress(address) === family)
    .map((address) => member(family, 'NODE-PORT-ADDRESSES', address)),
]

const member = (family: IPFamily, key: SetKey, entry: string): Item => ({
  kind: 'member',
  member: { set: setName(family, key), entry },
})

const entryOf = ({ address, protocol, port }: Place): string => `${address},${protocol}:${port}`

const renderPort = (forwarding: Forwarding, port: PortForwarding, { node, scheduler }: RenderContext): readonly Item[] => {
  const plan = planOf(forwarding, port, node)
  const { family } = forwarding
  const targets = [...port.cluster, ...port.local]
  const protocol = plan.places[0]?.protocol ?? 'tcp'
  return [
    ...plan.places.flatMap((place) => [...inventory(family, place), ...emptiness(family, port, place)]),
    ...serversOf(plan, port, scheduler),
    ...redirectsOf(family, plan),
    ...(plan.places.length === 0 ? [] : targets).map(({ address, port: number }) =>
      member(family, 'LOOP-BACK', `${address},${protocol}:${number},${address}`),
    ),
  ]
}

/** In which of kube-proxy's sets a frontend is. */
const inventory = (family: IPFamily, place: Place): readonly Item[] => {
  const { frontend } = place
  const entry = entryOf(place)
  const isLocal = frontend.routes.outside.masquerade !== 'always'
  const into = (...keys: readonly SetKey[]): readonly Item[] => keys.map((key) => member(family, key, entry))
  switch (frontend.kind) {
    case 'ClusterIP':
      return into('CLUSTER-IP')
    case 'ExternalIP':
      return into(isLocal ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP')
    case 'LoadBalancer':
      return [...into('LOAD-BALANCER', ...(isLocal ? (['LOAD-BALANCER-LOCAL'] as const) : [])), ...sources(family, place)]
    case 'NodePort':
      return nodePort(family, place, isLocal)
    default:
      return frontend.kind satisfies never
  }
}

const NODE_PORT_SETS = {
  tcp: ['NODE-PORT-TCP', 'NODE-PORT-LOCAL-TCP'],
  udp: ['NODE-PORT-UDP', 'NODE-PORT-LOCAL-UDP'],
  sctp: ['NODE-PORT-SCTP-HASH', 'NODE-PORT-LOCAL-SCTP-HASH'],
} as const

const nodePort = (family: IPFamily, place: Place, isLocal: boolean): readonly Item[] => {
  const entry = place.protocol === 'sctp' ? entryOf(place) : String(place.port)
  const [all, local] = NODE_PORT_SETS[place.protocol]
  return (isLocal ? [all, local] : [all]).map((key) => member(family, key, entry))
}

const sources = (family: IPFamily, place: Place): readonly Item[] => {
  const { allowedSources } = place.frontend
  if (allowedSources === undefined) return []
  const entry = entryOf(place)
  return [
    member(family, 'LOAD-BALANCER-FW', entry),
    ...netsOf(allowedSources.ranges, family).map((net) => member(family, 'LOAD-BALANCER-SOURCE-CIDR', `${entry},${net}`)),
    ...(allowedSources.vip ? [member(family, 'LOAD-BALANCER-SOURCE-IP', `${entry},${place.address}`)] : []),
  ]
}

/** Which sources are refused or dropped because there is no endpoint for them. */
const emptiness = (family: IPFamily, port: PortForwarding, place: Place): readonly Item[] => {
  const { routes } = place.frontend
  const entry = entryOf(place)
  const dropSet = { pod: 'DROP-POD', node: 'DROP-NODE', outside: 'DROP-OUTSIDE' } as const
  const empty = SOURCES.filter((source) => endpointsOf(port, routes[source].set).length === 0)
  const dropped = empty.filter((source) => routes[source].whenEmpty === 'drop')
  // Refusals mean that nobody serves at all, so they are the same for all sources.
  const isRefused = empty.length === SOURCES.length && dropped.length < SOURCES.length
  return [
    ...dropped.map((source) => member(family, dropSet[source], entry)),
    ...(isRefused ? [member(family, 'REJECT', entry)] : []),
  ]
}

const endpointsOf = (port: PortForwarding, set: Frontend['routes']['pod']['set']) => (set === 'local' ? port.local : port.cluster)

const serversOf = ({ servers }: Plan, port: PortForwarding, scheduler: string): readonly Item[] => {
  const { affinityTimeoutSeconds: persistentSeconds } = port
  return [...servers].flatMap(([{ protocol, address, port: number }, set]): Item[] => {
    const at = { protocol, address, port: number }
    return [
      { kind: 'server', server: { ...at, scheduler, ...(persistentSeconds === undefined ? {} : { persistentSeconds }) } },
      ...endpointsOf(port, set).map((real): Item => ({ kind: 'real', server: at, real: { ...real, weight: 1 } })),
    ]
  })
}

const redirectsOf = (family: IPFamily, { redirects }: Plan): readonly Item[] => {
  const froms = new Map(redirects.map(({ from }) => [serverText(from), from]))
  return [
    ...[...froms.values()].map((from) => member(family, 'REDIRECT', entryOf(from))),
    ...redirects.map(
      ({ source, from: { protocol, address, port }, to }): Item => ({
        kind: 'redirect',
        redirect: { source, protocol, address, port, to: realText(to) },
      }),
    ),
  ]
}

/** Ranges of the family as members of a set of nets: none within another, one address without a length, and the whole world in two halves. */
const netsOf = (texts: readonly string[], family: IPFamily): readonly string[] => {
  const cidrs = texts.flatMap((text): CIDR[] => {
    const cidr = readCIDR(text)?.cidr
    return cidr === undefined || cidr.family !== family ? [] : [cidr]
  })
  const wide = cidrs.filter(
    (cidr) => !cidrs.some((other) => formatCIDR(other) !== formatCIDR(cidr) && cidrContainsCIDR(other, cidr)),
  )
  const nets = wide.flatMap((cidr) => (cidr.prefix > 0 ? [cidr] : [cidrOf(firstAddress(cidr), 1), cidrOf(lastAddress(cidr), 1)]))
  const whole = family === 'IPv6' ? '/128' : '/32'
  return [...new Set(nets.map(formatCIDR))].map((net) => (net.endsWith(whole) ? net.slice(0, -whole.length) : net)).sort()
}
