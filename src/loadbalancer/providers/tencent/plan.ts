import type { Problem } from '../../provider.ts'
import type { GroupSettings, ListenerProtocol, TargetInfo } from './client/index.ts'

/** What one load balancer is to be, as far as it is ours. */
export interface Plan {
  readonly listeners: readonly PlannedListener[]
  /** Names of listeners that are ours to change and to delete. */
  readonly managedNames: ReadonlySet<string>
  readonly attributes: PlannedAttributes
  /** By the owner's uid. */
  readonly problems: ReadonlyMap<string, readonly Problem[]>
  /** By the owner's uid, then `TCP 80` of the Service: why it is not served. */
  readonly portErrors: ReadonlyMap<string, ReadonlyMap<string, string>>
}

/** What is left out is left as it is. */
export interface PlannedAttributes {
  readonly passToTarget?: boolean
  readonly securityGroups?: readonly string[]
  readonly bandwidth?: number
}

export interface PlannedListener {
  readonly ownerUid: string
  /** `TCP 80` of the Service. */
  readonly servicePort: string
  readonly name: string
  readonly protocol: ListenerProtocol
  readonly port: number
  /** Rules have certificates of their own. */
  readonly isSni: boolean
  /** Ids; undefined when they are not known: nothing is changed, and nothing is made. */
  readonly certificates: readonly string[] | undefined
  /** Not made; kept as it is when it is there. */
  readonly isHeld: boolean
  readonly settings: GroupSettings
  /** One without a rule for layer 4, one for each rule else. */
  readonly groups: readonly PlannedGroup[]
}

export interface PlannedGroup {
  readonly rule: PlannedRule | undefined
  readonly targets: readonly PlannedTarget[]
  /** False when some targets are not known: none is taken away. */
  readonly isComplete: boolean
  /** Weight 0 and a wait before a target goes. */
  readonly drains: boolean
}

export interface PlannedRule {
  readonly domain: string
  readonly url: string
  readonly certificates: readonly string[] | undefined
  readonly settings: GroupSettings
}

export interface PlannedTarget {
  readonly kind: TargetInfo['kind']
  readonly id: string
  readonly port: number
  readonly weight: number
  /** Not added; its weight is set when it is there. */
  readonly isOnlyKept: boolean
}

/** TCP, TCP_SSL, HTTP and HTTPS share a port's one place; UDP and QUIC the other. */
export const transportOf = (protocol: ListenerProtocol): 'TCP' | 'UDP' =>
  protocol === 'UDP' || protocol === 'QUIC' ? 'UDP' : 'TCP'

export const isLayer7 = (protocol: ListenerProtocol): boolean => protocol === 'HTTP' || protocol === 'HTTPS'

export const targetKey = ({ id, port }: { readonly id: string; readonly port: number }): string => `${id} ${port}`
