/** What the cloud has, as this client reads it: only the fields that are used. */
export interface LoadBalancerInfo {
  readonly id: string
  readonly name: string
  readonly type: 'OPEN' | 'INTERNAL'
  readonly isReady: boolean
  readonly isClassic: boolean
  readonly vips: readonly string[]
  readonly ipv6: string | undefined
  /** Of load balancers that are reached by name. */
  readonly domain: string | undefined
  readonly vpcId: string | undefined
  readonly subnetId: string | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly securityGroups: readonly string[]
  readonly passToTarget: boolean
  /** Mbps; of public ones. */
  readonly bandwidth: number | undefined
  readonly isProtected: boolean
  readonly isPrepaid: boolean
  /** Serves a private link. */
  readonly hasEndpoint: boolean
  readonly targetCount: number
}

export const PROTOCOLS = ['TCP', 'UDP', 'TCP_SSL', 'QUIC', 'HTTP', 'HTTPS'] as const
export type ListenerProtocol = (typeof PROTOCOLS)[number]

export interface ListenerInfo {
  readonly id: string
  readonly name: string
  readonly protocol: ListenerProtocol
  readonly port: number
  readonly isSni: boolean
  readonly certificates: readonly string[]
  readonly settings: GroupSettings
  readonly rules: readonly RuleInfo[]
  /** Of layer 4 listeners. */
  readonly targets: readonly TargetInfo[]
}

export interface RuleInfo {
  readonly id: string
  readonly domain: string
  readonly url: string
  readonly certificates: readonly string[]
  readonly settings: GroupSettings
  readonly targets: readonly TargetInfo[]
}

/** Of a layer 4 listener or of a rule. What is left out is not known, or not to be changed. */
export interface GroupSettings {
  readonly scheduler?: string
  /** Seconds; 0 for none. */
  readonly sessionSeconds?: number
  readonly forwardType?: string
  readonly healthCheck?: HealthCheck
}

export interface HealthCheck {
  readonly isOn?: boolean
  readonly intervalSeconds?: number
  readonly timeoutSeconds?: number
  readonly healthyAfter?: number
  readonly unhealthyAfter?: number
  readonly type?: string
  /** -1 for the target's own. */
  readonly port?: number
  readonly path?: string
  readonly domain?: string
  readonly method?: string
  readonly httpVersion?: string
  readonly codes?: number
  /** 0: the load balancer's address, 1: 100.64/10. */
  readonly sourceIpType?: number
}

export interface TargetInfo {
  readonly kind: 'instance' | 'address'
  /** The instance's id, or the address. */
  readonly id: string
  readonly address: string
  readonly port: number
  readonly weight: number
}

/** A target in a place: of a listener, or of one of its rules. */
export interface PlacedTarget {
  readonly listenerId: string
  readonly locationId?: string
  readonly kind: TargetInfo['kind']
  readonly id: string
  readonly port: number
  readonly weight: number
}
