import type { Service, ServicePort } from '../api/index.ts'
import { cidrContains, formatCIDR, type IPFamily, readAddress, readCIDR } from '../ip/index.ts'
import { clip, namedAddress } from './address.ts'
import type {
  AllowedSources,
  ForwardingProblem,
  Frontend,
  FrontendKind,
  NodeView,
  Route,
  RouteReason,
  SourceClass,
} from './forwarding.ts'
import { isPortNumber } from './slice-endpoints.ts'

export interface FrontendInput {
  readonly service: Service
  readonly port: ServicePort
  readonly node: NodeView
  readonly family: IPFamily
  readonly clusterIP: string
  /** Whether the port has any usable endpoint on any node: decides between reject and drop. */
  readonly someEndpoint: boolean
  /** Collects what cannot be honoured. */
  readonly problems: ForwardingProblem[]
}

/** Every address and port of one Service port, each once, in the order ClusterIP, LoadBalancer, ExternalIP, NodePort. */
export const frontendsOf = (input: FrontendInput): readonly Frontend[] => {
  const { service, port, clusterIP } = input
  const internal = internalRoutes(input)
  const external = externalRoutes(input)
  const allowedSources = allowedSourcesOf(input)
  const frontends = new Map<string, Frontend>()
  const add = (kind: FrontendKind, address: string): void => {
    // An address that is both a VIP and an external address keeps the VIP's source filter.
    if (frontends.has(address)) return
    const routes = kind === 'ClusterIP' ? internal : external
    const filter = kind === 'LoadBalancer' && allowedSources !== undefined ? { allowedSources } : {}
    frontends.set(address, { kind, address, port: port.port, routes, ...filter })
  }
  add('ClusterIP', clusterIP)
  for (const vip of virtualIPs(input)) add('LoadBalancer', vip)
  for (const address of ofFamily(input, 'spec.externalIPs', service.spec.externalIPs ?? [])) add('ExternalIP', address)
  const nodePort = port.nodePort ?? 0
  const hasNodePort = (service.spec.type === 'NodePort' || service.spec.type === 'LoadBalancer') && isPortNumber(nodePort)
  return [...frontends.values(), ...(hasNodePort ? [{ kind: 'NodePort' as const, port: nodePort, routes: external }] : [])]
}

/** LoadBalancer addresses that this node carries: with ipMode Proxy, or a hostname only, traffic must really go to the load balancer. */
const virtualIPs = (input: FrontendInput): readonly string[] => {
  const { spec, status } = input.service
  if (spec.type !== 'LoadBalancer') return []
  const ingress = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== 'Proxy')
  return ofFamily(
    input,
    'status.loadBalancer.ingress',
    ingress.flatMap(({ ip }) => (ip === undefined || ip === '' ? [] : [ip])),
  )
}

const ofFamily = ({ family, problems }: FrontendInput, path: string, written: readonly string[]): readonly string[] =>
  written.flatMap((text, index) => {
    const address = namedAddress(text)
    if (typeof address !== 'string') return address.family === family ? [address.text] : []
    problems.push({ path: `${path}[${index}]`, value: clip(text), reason: address })
    return []
  })

const internalRoutes = ({ service, node, someEndpoint }: FrontendInput): Readonly<Record<SourceClass, Route>> => {
  const isLocal = service.spec.internalTrafficPolicy === 'Local'
  const why: RouteReason = isLocal ? 'InternalPolicyLocal' : 'InternalPolicyCluster'
  const masqueradeAll = node.masqueradeAll === true
  const to = (masquerade: boolean): Route => route({ isLocal, masquerade, someEndpoint, why })
  return { pod: to(masqueradeAll), node: to(masqueradeAll), outside: to(masqueradeAll || node.podCIDRs.length > 0) }
}

const externalRoutes = ({ service, someEndpoint }: FrontendInput): Readonly<Record<SourceClass, Route>> => {
  if (service.spec.externalTrafficPolicy !== 'Local') {
    const all = route({ isLocal: false, masquerade: true, someEndpoint, why: 'ExternalPolicyCluster' })
    return { pod: all, node: all, outside: all }
  }
  const shortCircuit = { isLocal: false, someEndpoint, why: 'ExternalPolicyLocalShortCircuit' } as const
  return {
    pod: route({ ...shortCircuit, masquerade: false }),
    node: route({ ...shortCircuit, masquerade: true }),
    outside: route({ isLocal: true, masquerade: false, someEndpoint, why: 'ExternalPolicyLocal' }),
  }
}

interface RouteInput {
  readonly isLocal: boolean
  readonly masquerade: boolean
  readonly someEndpoint: boolean
  readonly why: RouteReason
}

/** Dropping where only this node has none lets load balancers and clients try another node; rejecting says that nobody serves. Equal routes are one object. */
const route = ({ isLocal, masquerade, someEndpoint, why }: RouteInput): Route => {
  const isDropped = isLocal && someEndpoint
  const id = `${isLocal} ${masquerade} ${isDropped} ${why}`
  const known = ROUTES.get(id)
  if (known !== undefined) return known
  const made: Route = {
    set: isLocal ? 'local' : 'cluster',
    masquerade: masquerade ? 'always' : 'hairpin',
    whenEmpty: isDropped ? 'drop' : 'reject',
    why,
  }
  ROUTES.set(id, made)
  return made
}

const ROUTES = new Map<string, Route>()

/** The form of the field before spec.loadBalancerSourceRanges, still read when that is empty. */
export const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges'

/**
 * Ranges of the other family say nothing about this one, as in kube-proxy: a Service with IPv4 ranges only has an open IPv6 VIP.
 * A range that cannot be read never opens anything: if none can be, nobody is allowed.
 */
const allowedSourcesOf = ({ service, node, family, problems }: FrontendInput): AllowedSources | undefined => {
  const written = sourceRanges(service)
  if (written.length === 0) return undefined
  const readings = written.map((text, index) => {
    const reading = readCIDR(text)
    if (reading === undefined) {
      problems.push({ path: `spec.loadBalancerSourceRanges[${index}]`, value: clip(text), reason: 'InvalidRange' })
    }
    return reading?.cidr
  })
  const ours = readings.filter((cidr) => cidr !== undefined && cidr.family === family)
  const isRestricted = ours.length > 0 || readings.includes(undefined)
  if (!isRestricted) return undefined
  const ranges = [...new Set(ours.flatMap((cidr) => (cidr === undefined ? [] : [formatCIDR(cidr)])))].sort()
  const vip = node.addresses.some((text) => {
    const address = readAddress(text)?.address
    return address !== undefined && ours.some((cidr) => cidr !== undefined && cidrContains(cidr, address))
  })
  return { ranges, vip }
}

const sourceRanges = (service: Service): readonly string[] => {
  const field = service.spec.loadBalancerSourceRanges ?? []
  const written = field.length > 0 ? field : (service.metadata.annotations?.[SOURCE_RANGES_ANNOTATION] ?? '').split(',')
  return written.map((range) => range.trim()).filter((range) => range !== '')
}
