import type { Service, ServicePort, ServiceSpec } from '../../../api/index.ts'
import type { Protocol } from '../../allocators/index.ts'

/** A node port that a Service holds, and the field that says so. */
export interface PortClaim {
  readonly protocol: Protocol
  readonly port: number
  readonly path: string
}

/** The addresses that a Service holds. */
export const claimedAddresses = (service: Service | undefined): readonly string[] => {
  const spec = service?.spec
  if (spec === undefined || spec.type === 'ExternalName') return []
  return (spec.clusterIPs ?? []).filter((address) => address !== 'None' && address !== '')
}

/** The node ports that a Service holds, with that of its health check, each once. */
export const claimedPorts = (service: Service | undefined): readonly PortClaim[] => {
  const spec = service?.spec
  if (spec === undefined || !mayHaveNodePorts(spec)) return []
  const claims = (spec.ports ?? []).map((port, index) => ({
    protocol: protocolOf(port),
    port: port.nodePort ?? 0,
    path: `spec.ports[${index}].nodePort`,
  }))
  const health: PortClaim = { protocol: 'TCP', port: spec.healthCheckNodePort ?? 0, path: 'spec.healthCheckNodePort' }
  const all = isHealthChecked(spec) ? [...claims, health] : claims
  return [...new Map(all.filter((claim) => claim.port !== 0).map((claim) => [claimId(claim), claim])).values()]
}

export const claimId = ({ protocol, port }: Pick<PortClaim, 'protocol' | 'port'>): string => `${protocol}/${port}`

export const protocolOf = (port: ServicePort): Protocol => port.protocol ?? 'TCP'

export const mayHaveNodePorts = (spec: ServiceSpec): boolean => spec.type === 'NodePort' || spec.type === 'LoadBalancer'

/** Whether ports without a number get one. */
export const needsNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)

/** Whether load balancers ask its nodes for local endpoints. */
export const isHealthChecked = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
