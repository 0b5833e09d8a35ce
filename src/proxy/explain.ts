import { readAddress } from '../ip/index.ts'
import {
  canonical,
  decide,
  type Forwarding,
  isChosen,
  type JudgedEndpoint,
  type NodeView,
  type Packet,
  type Protocol,
  type SourceClass,
  sourceClassifier,
  type Verdict,
} from '../model/index.ts'
import type { FrontendStatus } from './backend.ts'

export interface ExplainQuery {
  readonly address: string
  readonly port: number
  /** TCP when left out. */
  readonly protocol?: Protocol
  /** The client: an address, or only where it is; this node when left out. */
  readonly source?: { readonly address?: string; readonly class?: SourceClass }
}

export interface Explanation {
  readonly packet: Packet
  readonly verdict: Verdict
  /** The Service whose rule matched. */
  readonly service?: { readonly namespace: string; readonly name: string }
  /** Every endpoint of the port, with whether this packet may go there and why. */
  readonly endpoints: readonly ExplainedEndpoint[]
  /** Where the backend cannot serve the frontend plainly. */
  readonly exceptions: readonly FrontendStatus[]
  readonly mode: string
  /** What the packet meets in this mode, in its order, as the mode's own tools would print it. */
  readonly trace: readonly string[]
}

export interface ExplainedEndpoint {
  readonly endpoint: JudgedEndpoint
  readonly isCandidate: boolean
  readonly reason: JudgedEndpoint['cluster']
}

export interface ExplainInput {
  readonly forwardings: Iterable<Forwarding>
  readonly node: NodeView
  readonly exceptions: readonly FrontendStatus[]
  readonly mode: string
  /** The backend's own words. */
  readonly trace: (packet: Packet) => readonly string[]
}

/** What would happen to a connection, and why: over the very Forwardings that the backend carries. Undefined when `address` isn't one. */
export const explain = (input: ExplainInput, query: ExplainQuery): Explanation | undefined => {
  if (readAddress(query.address) === undefined) return undefined
  const packet = asAsked(packetOf(query, input.node), input.exceptions)
  const { verdict, forwarding } = firstVerdict(input, packet)
  const matched = verdict.kind === 'none' ? undefined : verdict.matched
  const route = matched?.frontend.routes[packet.source.class]
  const { address, port } = packet.destination
  return {
    packet,
    verdict,
    ...(forwarding === undefined ? {} : { service: { namespace: forwarding.namespace, name: forwarding.name } }),
    endpoints: (matched?.port.endpoints ?? []).map((endpoint) => {
      const reason = route?.set === 'local' ? endpoint.local : endpoint.cluster
      return { endpoint, isCandidate: verdict.kind === 'dnat' && isChosen(reason), reason }
    }),
    exceptions: input.exceptions.filter(
      (status) => status.address === address && status.protocol === packet.protocol && status.port === port,
    ),
    mode: input.mode,
    trace: input.trace(packet),
  }
}

/** A packet to a substitute port means the port that it stands for. */
const asAsked = (packet: Packet, exceptions: readonly FrontendStatus[]): Packet => {
  const { address, port } = packet.destination
  const served = exceptions.find(
    (status) =>
      status.state === 'substituted' &&
      status.address === address &&
      status.substitute === port &&
      status.protocol === packet.protocol,
  )
  return served === undefined ? packet : { ...packet, destination: { address, port: served.port } }
}

const packetOf = ({ address, port, protocol = 'TCP', source = {} }: ExplainQuery, node: NodeView): Packet => {
  const destination = { address: canonical(address), port }
  const fallback = node.addresses[0] ?? '127.0.0.1'
  const from = source.address === undefined ? (source.class === undefined ? fallback : '') : canonical(source.address)
  const sourceClass = source.class ?? sourceClassifier(node)(from, destination.address)
  return { source: { class: sourceClass, address: from }, destination, protocol }
}

/** An exact frontend wins over "no such port" of a ClusterIP. */
const firstVerdict = (
  { forwardings, node }: ExplainInput,
  packet: Packet,
): { readonly verdict: Verdict; readonly forwarding?: Forwarding } => {
  let refusal: { readonly verdict: Verdict; readonly forwarding?: Forwarding } = { verdict: { kind: 'none' } }
  for (const forwarding of forwardings) {
    const verdict = decide(forwarding, packet, node)
    if (verdict.kind === 'none') continue
    if (verdict.matched !== undefined) return { verdict, forwarding }
    refusal = { verdict, forwarding }
  }
  return refusal
}
