import type { EndpointSlice, Service, ServiceSpec } from '../../src/api/index.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'

/** The node that the rules are for: it has one in a hundred of the endpoints. */
export const NODE: NodeView = {
  name: 'n1',
  addresses: ['192.0.2.1'],
  podCIDRs: ['10.64.0.0/16'],
  nodePortAddresses: ['192.0.2.1'],
}
export const SERVICE_CIDRS = ['10.96.0.0/12']
export const ENDPOINTS = 5

/** What a Service of the benchmark has, by its number: a tenth each have affinity and a NodePort, a hundredth a VIP with source ranges, a tenth of those policy Local. */
export interface Features {
  readonly hasAffinity: boolean
  readonly nodePort: number | undefined
  readonly vip: string | undefined
  readonly isLocal: boolean
}

export const featuresOf = (index: number): Features => {
  const hasVip = index % 100 === 7
  return {
    hasAffinity: index % 10 === 3,
    // A wider range than a cluster has, so that every tenth of 50,000 has one of its own.
    nodePort: index % 10 === 5 || hasVip ? 10_000 + (index % 50_000) : undefined,
    vip: hasVip ? `203.${index >> 16}.${(index >> 8) & 255}.${index & 255}` : undefined,
    isLocal: index % 100 === 5,
  }
}

export const RANGES = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.9/32'] as const

export const clusterIP = (index: number): string => `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`

/** One in a hundred is on the node. */
export const podOf = (host: number): string => {
  const isHere = host % 100 === 0
  const number = isHere ? host / 100 : host
  return `10.${(isHere ? 64 : 128) + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
}

/** Service `index` with endpoints of its own. */
export const forwardingOf = (index: number): Forwarding =>
  forwardingWith(
    index,
    Array.from({ length: ENDPOINTS }, (_, each) => index * ENDPOINTS + each),
  )

/** Service `index` with these endpoints. */
export const forwardingWith = (index: number, hosts: readonly number[]): Forwarding =>
  meaning(serviceAt(index), sliceOf(index, hosts))

const meaning = (object: Service, endpoints: EndpointSlice): Forwarding => {
  const result = serviceForwarding({ service: object, slices: [endpoints], node: NODE }, 'IPv4')
  if (result.kind !== 'forwarding') throw new Error(result.reason)
  return result.forwarding
}

const serviceAt = (index: number): Service => {
  const { hasAffinity, nodePort, vip, isLocal } = featuresOf(index)
  const address = clusterIP(index)
  const type: ServiceSpec['type'] = vip !== undefined ? 'LoadBalancer' : nodePort !== undefined ? 'NodePort' : 'ClusterIP'
  return service(
    `s${index}`,
    {
      type,
      clusterIP: address,
      clusterIPs: [address],
      ports: [port(80, nodePort === undefined ? {} : { nodePort })],
      ...(hasAffinity ? { sessionAffinity: 'ClientIP' as const } : {}),
      ...(isLocal ? { externalTrafficPolicy: 'Local' as const } : {}),
      ...(vip === undefined ? {} : { loadBalancerSourceRanges: [...RANGES] }),
    },
    vip === undefined ? {} : { status: vips(vip) },
  )
}

const sliceOf = (index: number, hosts: readonly number[]): EndpointSlice =>
  slice(
    `s${index}`,
    hosts.map((host) => endpoint(podOf(host), { nodeName: host % 100 === 0 ? 'n1' : 'n2' })),
  )
