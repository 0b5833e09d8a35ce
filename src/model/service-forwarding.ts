import type { EndpointSlice, Service, ServicePort } from '../api/index.ts'
import type { IPFamily } from '../ip/index.ts'
import { namedAddress } from './address.ts'
import {
  type Forwarding,
  type ForwardingProblem,
  forwardingKey,
  isChosen,
  type JudgedEndpoint,
  type Judgement,
  type NodeView,
  type NotForwarded,
  type PortForwarding,
  type Target,
} from './forwarding.ts'
import { frontendsOf } from './frontends.ts'
import { isPortNumber, portEndpoints } from './slice-endpoints.ts'
import { usableEndpoints } from './usable-endpoints.ts'

export interface ServiceInput {
  readonly service: Service
  /** All EndpointSlices of the Service; those of other families and FQDN ones are left aside. */
  readonly slices: readonly EndpointSlice[]
  readonly node: NodeView
}

export type ServiceMeaning =
  | { readonly kind: 'forwarding'; readonly forwarding: Forwarding; readonly problems: readonly ForwardingProblem[] }
  | { readonly kind: 'none'; readonly reason: NotForwarded }

/** Whoever sets this label on a Service wants another proxy to carry it. */
export const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name'

/** What a Service means on a node in one family. A dual-stack Service is two single-family passes that never need each other. */
export const serviceForwarding = (input: ServiceInput, family: IPFamily): ServiceMeaning => {
  const clusterIP = clusterIPOf(input.service, family)
  if (typeof clusterIP === 'string') return { kind: 'none', reason: clusterIP }
  const { namespace = '', name } = input.service.metadata
  const problems: ForwardingProblem[] = []
  const ports: PortForwarding[] = []
  for (const [index, port] of (input.service.spec.ports ?? []).entries()) {
    if (isPortNumber(port.port)) ports.push(portForwarding(input, port, { family, clusterIP: clusterIP.text, problems }))
    else problems.push({ path: `spec.ports[${index}].port`, value: String(port.port), reason: 'InvalidPort' })
  }
  const healthCheck = healthCheckOf(input.service, ports)
  const forwarding = {
    key: forwardingKey(family, namespace, name),
    namespace,
    name,
    family,
    clusterIP: clusterIP.text,
    ports,
    ...(healthCheck === undefined ? {} : { healthCheck }),
  }
  return { kind: 'forwarding', forwarding, problems: unique(problems) }
}

const clusterIPOf = (service: Service, family: IPFamily): { readonly text: string } | NotForwarded => {
  const { spec } = service
  if (service.metadata.labels?.[SERVICE_PROXY_NAME_LABEL] !== undefined) return 'ServiceProxyName'
  if (spec.type === 'ExternalName') return 'ExternalName'
  const written = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])
  if (written.includes('None')) return 'Headless'
  let refusal: NotForwarded = 'NoClusterIP'
  for (const text of written.filter((one) => one !== '')) {
    const address = namedAddress(text)
    if (typeof address === 'string') refusal = 'InvalidClusterIP'
    else if (address.family === family) return { text: address.text }
    else refusal = 'OtherFamily'
  }
  return refusal
}

interface PortContext {
  readonly family: IPFamily
  readonly clusterIP: string
  readonly problems: ForwardingProblem[]
}

const portForwarding = (input: ServiceInput, port: ServicePort, context: PortContext): PortForwarding => {
  const { service, slices, node } = input
  const name = port.name ?? ''
  const protocol = port.protocol ?? 'TCP'
  const { endpoints, ignored } = portEndpoints(slices, context.family, { name, protocol })
  const { hints, judged } = usableEndpoints(endpoints, node)
  const cluster = chosen(judged, (endpoint) => endpoint.cluster)
  const local = chosen(judged, (endpoint) => endpoint.local)
  const isClientIP = service.spec.sessionAffinity === 'ClientIP'
  return {
    name,
    protocol,
    port: port.port,
    frontends: frontendsOf({ service, port, node, ...context, someEndpoint: cluster.length > 0 }),
    cluster,
    local,
    ...(isClientIP ? { affinityTimeoutSeconds: affinityTimeout(service) } : {}),
    hints,
    endpoints: judged,
    ignored,
  }
}

const chosen = (judged: readonly JudgedEndpoint[], judgement: (endpoint: JudgedEndpoint) => Judgement): readonly Target[] =>
  judged.filter((endpoint) => isChosen(judgement(endpoint))).map(({ address, port }) => ({ address, port }))

const DEFAULT_AFFINITY_SECONDS = 10_800

const affinityTimeout = (service: Service): number =>
  service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS

const healthCheckOf = (service: Service, ports: readonly PortForwarding[]): Forwarding['healthCheck'] => {
  const { type, externalTrafficPolicy, healthCheckNodePort = 0 } = service.spec
  if (type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local' || !isPortNumber(healthCheckNodePort)) return undefined
  const ready = new Set<string>()
  for (const { endpoints } of ports) {
    for (const { address, isLocal, conditions } of endpoints) if (isLocal && conditions.ready) ready.add(address)
  }
  return { port: healthCheckNodePort, localEndpoints: ready.size }
}

/** The same wrong externalIP is met once for each port. */
const unique = (problems: readonly ForwardingProblem[]): readonly ForwardingProblem[] => [
  ...new Map(problems.map((problem) => [`${problem.path} ${problem.value}`, problem])).values(),
]
