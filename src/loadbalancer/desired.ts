import type { EndpointSlice, Service, ServicePort } from '../api/index.ts'
import { formatAddress, formatCIDR, parseAddress, readCIDR } from '../ip/index.ts'
import { portEndpoints } from '../model/index.ts'
import type { DesiredLoadBalancer, Listener, Owner, TargetEndpoint, TargetNode } from './provider.ts'

/** One Service of a load balancer, as the caches have it. */
export interface OwnerSnapshot {
  readonly service: Service
  readonly state: Owner['state']
  /** Of this Service; none where the provider does not use them. */
  readonly slices: readonly EndpointSlice[]
}

export interface LoadBalancerSnapshot {
  readonly key: string
  readonly token: string
  readonly clusterId: string
  readonly owners: readonly OwnerSnapshot[]
  readonly nodes: readonly TargetNode[]
}

/** What a provider is told of one load balancer. */
export const desiredLoadBalancer = ({ key, token, clusterId, owners, nodes }: LoadBalancerSnapshot): DesiredLoadBalancer => ({
  key,
  token,
  clusterId,
  owners: owners.map(ownerOf).sort(byAge),
  nodes,
})

/** kube-proxy's own port for the health of its node. */
const PROXY_HEALTH = { port: 10256, path: '/healthz' }
const AFFINITY_SECONDS = 10_800
const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges'

const ownerOf = ({ service, state, slices }: OwnerSnapshot): Owner => {
  const { metadata, spec, status } = service
  const isLocal = spec.externalTrafficPolicy === 'Local'
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    createdAt: metadata.creationTimestamp ?? '',
    state,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    ...(spec.loadBalancerClass ? { loadBalancerClass: spec.loadBalancerClass } : {}),
    ...(spec.loadBalancerIP ? { loadBalancerIP: canonical(spec.loadBalancerIP) } : {}),
    // The API's validation lets no other families in.
    ipFamilies: (spec.ipFamilies ?? ['IPv4']) as Owner['ipFamilies'],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? 'SingleStack',
    selector: spec.selector,
    externalTrafficPolicy: isLocal ? 'Local' : 'Cluster',
    healthCheck: isLocal && spec.healthCheckNodePort ? { port: spec.healthCheckNodePort, path: '/healthz' } : PROXY_HEALTH,
    sessionAffinitySeconds:
      spec.sessionAffinity === 'ClientIP'
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS)
        : undefined,
    sourceRanges: sourceRangesOf(service),
    listeners: (spec.ports ?? []).map((port) => listenerOf(service, port, slices)),
    ingress: status?.loadBalancer?.ingress ?? [],
  }
}

const listenerOf = ({ spec }: Service, port: ServicePort, slices: readonly EndpointSlice[]): Listener => {
  const { name = '', protocol, appProtocol, nodePort } = port
  const families = (spec.ipFamilies ?? ['IPv4']) as Owner['ipFamilies']
  const endpoints = families.flatMap((family) => portEndpoints(slices, family, { name, protocol }).endpoints)
  return {
    name,
    protocol,
    port: port.port,
    ...(appProtocol === undefined ? {} : { appProtocol }),
    nodePort: nodePort === undefined || nodePort === 0 ? undefined : nodePort,
    endpoints: endpoints.map(
      ({ address, port: number, conditions, nodeName, pod }): TargetEndpoint => ({
        address,
        port: number,
        conditions,
        nodeName,
        pod,
      }),
    ),
  }
}

const canonical = (text: string): string => {
  const address = parseAddress(text.trim())
  return address === undefined ? text : formatAddress(address)
}

/** What is no CIDR is left out; where all of them are none, nobody gets in rather than everybody. */
const sourceRangesOf = ({ spec, metadata }: Service): readonly string[] => {
  const written = spec.loadBalancerSourceRanges?.length
    ? spec.loadBalancerSourceRanges
    : (metadata.annotations?.[SOURCE_RANGES_ANNOTATION] ?? '').split(',').filter((text) => text.trim() !== '')
  const ranges = written.flatMap((text) => {
    const reading = readCIDR(text.trim())
    return reading === undefined ? [] : [formatCIDR(reading.cidr)]
  })
  if (written.length > 0 && ranges.length === 0) return ['0.0.0.0/32']
  return [...new Set(ranges)].sort()
}

const byAge = (a: Owner, b: Owner): number =>
  compare(a.createdAt, b.createdAt) || compare(a.namespace, b.namespace) || compare(a.name, b.name)

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
