import type { IPFamily } from '../ip/index.ts'

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

/** Where a packet comes from, as far as the Service rules care. */
export type SourceClass = 'pod' | 'node' | 'outside'

export type FrontendKind = 'ClusterIP' | 'NodePort' | 'ExternalIP' | 'LoadBalancer'

/** What the rules need to know of the node that they run on. */
export interface NodeView {
  readonly name: string
  /** Its label `topology.kubernetes.io/zone`. */
  readonly zone?: string
  /** Its own addresses. */
  readonly addresses: readonly string[]
  /** The local detector: ranges of the pods on this node. Without any, nothing counts as a pod and ClusterIP traffic is not masqueraded. */
  readonly podCIDRs: readonly string[]
  /** The addresses on which NodePorts are served. */
  readonly nodePortAddresses: readonly string[]
  /** Masquerade everything that goes to a ClusterIP. */
  readonly masqueradeAll?: boolean
}

/**
 * What one Service means on one node in one address family: everything that a backend programs and `explain` prints.
 * Plain data in a fixed order, with canonical addresses, so that equal meaning is equal JSON.
 */
export interface Forwarding {
  /** {@link forwardingKey}. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly family: IPFamily
  readonly clusterIP: string
  readonly ports: readonly PortForwarding[]
  /** Set when the Service has a healthCheckNodePort that this node must answer. */
  readonly healthCheck?: HealthCheck
}

export interface HealthCheck {
  readonly port: number
  /** Distinct addresses of ready endpoints on this node: terminating ones get traffic but don't count. */
  readonly localEndpoints: number
}

export interface PortForwarding {
  /** Empty when the Service's only port has no name. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly frontends: readonly Frontend[]
  /** Endpoints for policy Cluster. */
  readonly cluster: readonly Target[]
  /** Endpoints for policy Local. */
  readonly local: readonly Target[]
  /** Session affinity by client address when set; one table for all frontends of this port. */
  readonly affinityTimeoutSeconds?: number
  /** Which topology hints narrowed `cluster`. */
  readonly hints: 'none' | 'node' | 'zone'
  /** Every endpoint that was considered, with why it was or was not chosen. */
  readonly endpoints: readonly JudgedEndpoint[]
  /** What could not be used at all. */
  readonly ignored: readonly IgnoredEndpoint[]
}

/** An address and port at which clients reach the Service. */
export interface Frontend {
  readonly kind: FrontendKind
  /** Left out for NodePort: every one of the node's NodePort addresses of the family. */
  readonly address?: string
  /** NodePort only: those of them at which another Service has this port. */
  readonly notAt?: readonly string[]
  readonly port: number
  readonly routes: Readonly<Record<SourceClass, Route>>
  /** LoadBalancer only: who may connect; left out when everyone may. */
  readonly allowedSources?: AllowedSources
}

export interface AllowedSources {
  /** Canonical CIDRs of the family; empty means nobody. */
  readonly ranges: readonly string[]
  /** Node traffic to a VIP may carry the VIP itself as source: allowed when an address of this node is in `ranges`. */
  readonly vip: boolean
}

/** What happens to connections from one class of source. */
export interface Route {
  readonly set: 'cluster' | 'local'
  /** `hairpin`: only where the chosen endpoint is the client itself. */
  readonly masquerade: 'always' | 'hairpin'
  /** What happens when the set has no endpoint. */
  readonly whenEmpty: 'reject' | 'drop'
  readonly why: RouteReason
}

export type RouteReason =
  | 'InternalPolicyCluster'
  | 'InternalPolicyLocal'
  | 'ExternalPolicyCluster'
  | 'ExternalPolicyLocal'
  /** Pods and the node itself use all endpoints also under externalTrafficPolicy Local. */
  | 'ExternalPolicyLocalShortCircuit'

export interface Target {
  readonly address: string
  readonly port: number
}

export interface JudgedEndpoint extends Target {
  readonly isLocal: boolean
  readonly conditions: Conditions
  readonly nodeName?: string
  readonly zone?: string
  readonly pod?: PodRef
  readonly slice: string
  /** Whether and why it is in `cluster`. */
  readonly cluster: Judgement
  /** Whether and why it is in `local`. */
  readonly local: Judgement
}

/** After the defaults for missing conditions. */
export interface Conditions {
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
}

export interface PodRef {
  readonly namespace: string
  readonly name: string
  readonly uid?: string
}

export type Judgement = ChosenBecause | NotChosenBecause

export type ChosenBecause =
  | 'Ready'
  | 'HintedForThisNode'
  | 'HintedForThisZone'
  /** No endpoint is ready, so those that still serve while they terminate are used. */
  | 'ServingWhileTerminating'

export type NotChosenBecause =
  | 'NotReady'
  | 'OnOtherNode'
  | 'HintedForOtherNode'
  | 'HintedForOtherZone'
  /** It serves while it terminates, but ready endpoints exist. */
  | 'Terminating'

const CHOSEN: ReadonlySet<Judgement> = new Set<ChosenBecause>([
  'Ready',
  'HintedForThisNode',
  'HintedForThisZone',
  'ServingWhileTerminating',
])

export const isChosen = (judgement: Judgement): judgement is ChosenBecause => CHOSEN.has(judgement)

export interface IgnoredEndpoint {
  readonly slice: string
  /** As it was written, cut to a sane length; empty when the whole slice is meant. */
  readonly address: string
  readonly reason: IgnoredBecause
}

export type IgnoredBecause =
  | 'NoAddress'
  | 'InvalidAddress'
  /** The address isn't of the slice's address type. */
  | 'WrongFamily'
  /** Unspecified or multicast. */
  | 'ForbiddenAddress'
  /** The slice's port has no number (it means all ports) or an impossible one. */
  | 'NoPortNumber'

/** Why a Service has no Forwarding in a family. */
export type NotForwarded = 'ExternalName' | 'Headless' | 'ServiceProxyName' | 'NoClusterIP' | 'OtherFamily' | 'InvalidClusterIP'

/** Something in a Service that cannot be honoured; the rest of the Service is. */
export interface ForwardingProblem {
  readonly path: string
  readonly value: string
  readonly reason: 'InvalidAddress' | 'ForbiddenAddress' | 'InvalidRange' | 'InvalidPort'
}

/** Stable name of a Service's Forwarding in one family. */
export const forwardingKey = (family: IPFamily, namespace: string, name: string): string => `${family} ${namespace}/${name}`
