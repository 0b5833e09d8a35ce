import { cidrContains, parseCIDR, readAddress } from '../ip/index.ts'
import { canonical } from './address.ts'
import type { Forwarding, Frontend, NodeView, PortForwarding, Protocol, RouteReason, SourceClass, Target } from './forwarding.ts'

/** The first packet of a connection, as it arrives at the node. */
export interface Packet {
  readonly source: { readonly class: SourceClass; readonly address: string }
  readonly destination: Target
  readonly protocol: Protocol
}

export type Verdict =
  /** Goes to one of `candidates` (or to the one that session affinity remembers, if it is among them). */
  | { readonly kind: 'dnat'; readonly candidates: readonly Candidate[]; readonly matched: Matched; readonly reason: RouteReason }
  | { readonly kind: 'reject'; readonly matched?: Matched; readonly reason: 'NoEndpoints' | 'NoSuchPort' }
  | { readonly kind: 'drop'; readonly matched: Matched; readonly reason: 'NoLocalEndpoints' | 'SourceNotAllowed' }
  /** The destination is no frontend of this Service. */
  | { readonly kind: 'none' }

/** An endpoint that may be chosen, and whether the client's address is replaced by the node's then. */
export interface Candidate extends Target {
  readonly masquerade: boolean
}

export interface Matched {
  readonly port: PortForwarding
  readonly frontend: Frontend
}

/**
 * What must happen to a packet: the model that every backend is tested against. What a backend cannot do (its `supports`)
 * is left out of the comparison, never out of the model.
 */
export const decide = (forwarding: Forwarding, packet: Packet, node: NodeView): Verdict => {
  const matched = match(forwarding, packet, node)
  if (matched === undefined) {
    const isClusterIP = canonical(packet.destination.address) === forwarding.clusterIP
    return isClusterIP ? { kind: 'reject', reason: 'NoSuchPort' } : { kind: 'none' }
  }
  const { port, frontend } = matched
  if (!isAllowed(frontend, packet)) return { kind: 'drop', matched, reason: 'SourceNotAllowed' }
  const route = frontend.routes[packet.source.class]
  const targets = route.set === 'local' ? port.local : port.cluster
  if (targets.length === 0) {
    return route.whenEmpty === 'drop'
      ? { kind: 'drop', matched, reason: 'NoLocalEndpoints' }
      : { kind: 'reject', matched, reason: 'NoEndpoints' }
  }
  const source = canonical(packet.source.address)
  const candidates = targets.map((target) => ({
    ...target,
    masquerade: route.masquerade === 'always' || target.address === source,
  }))
  return { kind: 'dnat', candidates, matched, reason: route.why }
}

const match = (forwarding: Forwarding, packet: Packet, node: NodeView): Matched | undefined => {
  const destination = canonical(packet.destination.address)
  const isNodePortAddress = node.nodePortAddresses.some((address) => canonical(address) === destination)
  let nodePort: Matched | undefined
  for (const port of forwarding.ports) {
    if (port.protocol !== packet.protocol) continue
    for (const frontend of port.frontends) {
      if (frontend.port !== packet.destination.port) continue
      if (frontend.address === destination) return { port, frontend }
      if (frontend.kind === 'NodePort' && isNodePortAddress && frontend.notAt?.includes(destination) !== true) {
        nodePort = { port, frontend }
      }
    }
  }
  return nodePort
}

/** Whether the frontend's source filter lets the packet in. */
export const isAllowed = (frontend: Frontend, packet: Packet): boolean => {
  const { allowedSources } = frontend
  if (allowedSources === undefined) return true
  const source = readAddress(packet.source.address)?.address
  if (source === undefined) return false
  if (allowedSources.vip && canonical(packet.source.address) === frontend.address) return true
  return allowedSources.ranges.some((range) => {
    const cidr = parseCIDR(range)
    return cidr !== undefined && cidrContains(cidr, source)
  })
}
