/** What the cloud holds. Everything is serialisable; private keys are not in it (`certificates.ts`). */
export interface LoadBalancer {
  readonly id: string
  readonly name: string
  readonly type: 'OPEN' | 'INTERNAL'
  /** False while it is being created. */
  readonly isReady: boolean
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  readonly vpcId: string
  readonly subnetId?: string
  readonly projectId: number
  readonly vip: string
  /** A public one that is reached by name: its address is not told. */
  readonly domain?: string
  readonly chargeType: 'POSTPAID_BY_HOUR' | 'PREPAID'
  readonly internet?: { readonly chargeType: string; readonly maxBandwidthOut: number }
  readonly zone: string
  readonly vipIsp?: string
  readonly slaType?: string
  readonly passToTarget: boolean
  readonly snatPro: boolean
  readonly deleteProtect: boolean
  readonly securityGroups: readonly string[]
  readonly listeners: readonly Listener[]
}

export type Protocol = 'TCP' | 'UDP' | 'TCP_SSL' | 'QUIC' | 'HTTP' | 'HTTPS'
export type Scheduler = 'WRR' | 'LEAST_CONN' | 'IP_HASH'

export interface Listener {
  readonly id: string
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  readonly createdAt: number
  /** Those of a layer 4 listener; layer 7 ones have theirs in the rules. */
  readonly healthCheck: HealthCheck
  readonly scheduler: Scheduler
  /** Seconds; 0 for none. */
  readonly sessionExpireTime: number
  readonly sniSwitch: boolean
  readonly certificate?: ListenerCertificate
  readonly keepalive: boolean
  readonly deregisterTargetRst: boolean
  readonly rescheduleTargetZeroWeight: boolean
  readonly idleConnectTimeout?: number
  readonly maxConn?: number
  readonly maxCps?: number
  readonly snatEnable?: boolean
  readonly targets: readonly Target[]
  readonly rules: readonly Rule[]
}

export interface ListenerCertificate {
  readonly mode: 'UNIDIRECTIONAL' | 'MUTUAL'
  readonly ids: readonly string[]
  readonly caId?: string
}

export interface Rule {
  readonly id: string
  readonly domains: readonly string[]
  readonly url: string
  readonly createdAt: number
  readonly healthCheck: HealthCheck
  readonly scheduler: Scheduler
  readonly sessionExpireTime: number
  readonly cookieName?: string
  readonly forwardType: 'HTTP' | 'HTTPS' | 'GRPC'
  readonly isDefault: boolean
  readonly http2: boolean
  readonly certificate?: ListenerCertificate
  readonly targets: readonly Target[]
  readonly rewrite?: Rewrite
}

export interface Rewrite {
  readonly listenerId: string
  readonly locationId: string
  readonly code: 301 | 302 | 307
  readonly takeUrl: boolean
  readonly isAuto: boolean
}

export interface Target {
  /** An instance, by its id, or an address in the VPC (an ENI, a pod). */
  readonly kind: 'CVM' | 'ENI'
  readonly id: string
  readonly address: string
  readonly port: number
  readonly weight: number
  readonly tag?: string
  readonly registeredAt: number
}

export interface HealthCheck {
  readonly isOn: boolean
  /** Seconds. */
  readonly interval: number
  readonly timeout: number
  readonly healthyAfter: number
  readonly unhealthyAfter: number
  readonly type: 'TCP' | 'HTTP' | 'HTTPS' | 'GRPC' | 'PING' | 'CUSTOM'
  /** Undefined: the target's own. */
  readonly port?: number
  readonly path?: string
  readonly domain?: string
  readonly method?: 'HEAD' | 'GET'
  readonly httpVersion?: 'HTTP/1.0' | 'HTTP/1.1'
  /** Bits for 1xx, 2xx, 3xx, 4xx, 5xx. */
  readonly codes: number
  readonly context?: { readonly type: 'HEX' | 'TEXT'; readonly send: string; readonly receive: string }
  readonly sourceIpType: number
}

/** A write that goes on after its answer. Its load balancers are locked while it runs. */
export interface Task {
  /** The RequestId of the answer. */
  readonly id: string
  readonly action: string
  readonly loadBalancerIds: readonly string[]
  readonly startedAt: number
  readonly status: 'running' | 'succeeded' | 'failed'
  readonly message: string
  readonly dealName?: string
  /** While it runs: what its load balancers become, null for gone. */
  readonly outcome?: Readonly<Record<string, LoadBalancer | null>>
}

/** A ClientToken that was used. */
export interface UsedToken {
  readonly request: string
  readonly loadBalancerIds: readonly string[]
  readonly dealName: string
  readonly usedAt: number
}

export const isLayer7 = (protocol: Protocol): boolean => protocol === 'HTTP' || protocol === 'HTTPS'
export const usesTls = (protocol: Protocol): boolean => protocol === 'HTTPS' || protocol === 'TCP_SSL' || protocol === 'QUIC'

/** Every group of targets: of the listener, or of its rules. */
export const groupsOf = (listener: Listener): readonly (Listener | Rule)[] =>
  isLayer7(listener.protocol) ? listener.rules : [listener]

export const targetCount = (loadBalancer: LoadBalancer): number =>
  loadBalancer.listeners.flatMap(groupsOf).reduce((sum, group) => sum + group.targets.length, 0)
