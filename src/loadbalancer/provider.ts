import type { LoadBalancerIngress, Service } from '../api/index.ts'
import type { Conditions, PodRef, Protocol } from '../model/index.ts'
import type { LoadBalancerError } from './errors.ts'

/** Names one load balancer of one provider; Services that share it have the same. At most 200 printable characters, no blanks. */
export type LoadBalancerKey = string

/**
 * Makes load balancers in one way (addresses of this machine, a cloud).
 *
 * Order: `warm` once after each election, before anything else. Then `ensure` and `remove`, never two at a time for one key, and several at a time for different
 * keys; `observe` beside them.
 * Idempotence: the caller repeats a call after every failure, after a restart and at each full look. A call that finds everything in place writes nothing.
 * Crashes: the process may end between any two effects of a call. What has to be known then is in `token`, which is stored on every owner before the first call
 * with it, and in what was given to `Notes.write`.
 * Failure: a call that rejects, with a {@link LoadBalancerError} where it knows more, may have been applied in part and is repeated. What is wrong with one
 * owner is an answer ({@link ServiceOutcome.problems}), never a rejection: the other owners go on, and what worked is not taken away.
 */
export interface Provider {
  readonly name: string
  readonly supports: ReadonlySet<Capability>
  /** Which load balancer a Service belongs to. Pure. */
  claim(service: Service, placed: Placement | undefined): Claim
  /** Takes over what earlier runs made, from what the cluster knows of it. No calls that change anything. */
  warm(all: readonly DesiredLoadBalancer[], signal: AbortSignal): Promise<void>
  /** Everything outside that carries this cluster's mark, wanted or not: for orphans. Reads, never writes, and never from a memory. */
  observe(signal: AbortSignal): Promise<readonly ObservedLoadBalancer[]>
  /**
   * Brings the load balancer to `desired`, and takes away what belongs to owners that are leaving, as long as another owner stays. One step at a time is
   * fine: what has to wait (a drain) answers `againAfterMs` and is called after that time. Rejects with `gone` when what was made with this token is not there any
   * more: the caller comes again with a new token, for a new life.
   */
  ensure(desired: DesiredLoadBalancer, call: Call): Promise<Outcome>
  /**
   * Takes away all that was made for this key, and nothing that was not. All owners of `desired` are leaving. What is not there any more counts as taken away.
   */
  remove(desired: DesiredLoadBalancer, call: Call): Promise<Outcome>
  /** Takes away something that `observe` told and that nobody wants; only called when the user asked for it. */
  prune(orphan: ObservedLoadBalancer, signal: AbortSignal): Promise<void>
  /** `handler` is told of keys that the provider wants to be asked about again: an address came free, an own object changed. Returns how to stop. */
  onChange(handler: (key: LoadBalancerKey) => void): () => void
}

/** What providers differ in; what is not listed, all of them do. */
export type Capability =
  /** `DesiredLoadBalancer.nodes` is used: Node changes concern it. */
  | 'Nodes'
  /** `Listener.endpoints` is used: changes of endpoints concern it. Without it they are empty. */
  | 'Endpoints'
  /** Reaches pods directly, so that Services without node ports work. */
  | 'NoNodePorts'
  | 'SCTP'
  /** What others change outside is found and put right by `ensure` with `look: 'full'`. */
  | 'Drift'

export type Claim =
  /** `problems` are told and stay in the way of nothing: an unsafe switch that is blocked keeps the key where it was placed. */
  | { readonly kind: 'ours'; readonly key: LoadBalancerKey; readonly problems?: readonly Problem[] }
  | { readonly kind: 'not-ours' }
  /** Nothing is made before the user changes the Service; what was made before stays. */
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

/** Where a Service was put, as stored on it before the first call. */
export interface Placement {
  readonly provider: string
  readonly key: LoadBalancerKey
  /** Made once for each life of a load balancer, the same on all its owners; to be sent along with what creates, as a client token or a tag. */
  readonly token: string
}

export interface DesiredLoadBalancer {
  readonly key: LoadBalancerKey
  readonly token: string
  readonly clusterId: string
  /** Oldest first (then by name): where two contradict each other, the first wins. */
  readonly owners: readonly Owner[]
  /** Nodes that may be targets (KEP-3458: also those not ready or cordoned; not those excluded by label or about to be deleted), by name. */
  readonly nodes: readonly TargetNode[]
}

/** One Service of a load balancer. */
export interface Owner {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly createdAt: string
  /** `leaving`: it is being deleted, is no LoadBalancer any more, or goes to another load balancer. */
  readonly state: 'wanted' | 'leaving'
  readonly labels: Readonly<Record<string, string>>
  /** As written; only the provider knows what they mean. */
  readonly annotations: Readonly<Record<string, string>>
  readonly loadBalancerClass?: string
  /** `spec.loadBalancerIP`, canonical where it is an address. */
  readonly loadBalancerIP?: string
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[]
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly externalTrafficPolicy: 'Cluster' | 'Local'
  /** What tells whether a node may get traffic: the proxy itself, or for policy Local whether it has endpoints of this Service. */
  readonly healthCheck: { readonly port: number; readonly path: string }
  /** Seconds that a client stays with its endpoint; undefined without affinity. */
  readonly sessionAffinitySeconds: number | undefined
  /** Canonical CIDRs, sorted; empty: everybody. */
  readonly sourceRanges: readonly string[]
  readonly listeners: readonly Listener[]
  /** What the status says now. */
  readonly ingress: readonly LoadBalancerIngress[]
}

export interface Listener {
  /** The Service port's, empty for an only one. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly appProtocol?: string
  /** Undefined with `allocateLoadBalancerNodePorts: false`. */
  readonly nodePort: number | undefined
  readonly endpoints: readonly TargetEndpoint[]
}

/** A node behind which node ports are. One that is being removed is not listed any more: whoever drains does it with targets that are listed no longer. */
export interface TargetNode {
  readonly name: string
  readonly providerID: string | undefined
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly isReady: boolean
  readonly isUnschedulable: boolean
}

/** A pod's address and port, in every state: the provider decides what gets traffic and what is drained. Sorted by address, then port. */
export interface TargetEndpoint {
  readonly address: string
  readonly port: number
  readonly conditions: Conditions
  readonly nodeName: string | undefined
  readonly pod: PodRef | undefined
}

export interface Call {
  /** `changed`: something in `desired` changed, so a provider that remembers what is outside may trust its memory. `full`: read anew. */
  readonly look: 'changed' | 'full'
  readonly notes: Notes
  readonly signal: AbortSignal
}

/** A way to write down what must be known after a crash, in the middle of a call. */
export interface Notes {
  /**
   * Resolves when the annotations are stored on the Service of this uid; null takes one away. Writes nothing when they are there. Rejects when the Service is gone
   * or was changed by others at the same moment: end the call with the rejection.
   */
  write(uid: string, annotations: Readonly<Record<string, string | null>>): Promise<void>
}

export interface Outcome {
  /** Undefined: nothing to do until something changes. Else the call is repeated after this time, with `look: 'changed'`. */
  readonly againAfterMs?: number
  /** One for each owner, by its uid. */
  readonly services: ReadonlyMap<string, ServiceOutcome>
  /** What was put right that others had changed, for one Event each. */
  readonly repaired?: readonly string[]
}

export interface ServiceOutcome {
  /** Status as it is to be; `ports` of it carry an error where one is not served. Empty while there is no address. */
  readonly ingress: readonly LoadBalancerIngress[]
  readonly problems: readonly Problem[]
  /** Annotations to be there from now on; null takes one away. */
  readonly annotations?: Readonly<Record<string, string | null>>
  /** Of an owner that is leaving: nothing of it is left, the finalizer may go. */
  readonly isReleased: boolean
}

/** Something that the user should know of one Service, told as an Event (once, as long as it stays the same) and as a condition. */
export interface Problem {
  /** One word, such as `PortConflict`. */
  readonly reason: string
  /** What, which, and what to do. Never a secret, and the same text for the same problem: no request ids, no times. */
  readonly message: string
}

/** What is outside, for orphans and for people. */
export interface ObservedLoadBalancer {
  /** The provider's own name, such as `lb-1234abcd`. */
  readonly id: string
  /** What its marks say; undefined where they are lost. */
  readonly key: LoadBalancerKey | undefined
  readonly token: string | undefined
  readonly addresses: readonly string[]
  readonly listeners: readonly { readonly protocol: string; readonly port: number }[]
  /** May be taken away by this controller when nobody wants it: false for what users lent to it. */
  readonly isOwned: boolean
  readonly note?: string
}
