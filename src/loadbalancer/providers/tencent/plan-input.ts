import type { TkeServiceConfig } from '../../../api/index.ts'
import type { TargetNode } from '../../provider.ts'
import type { ListenerInfo, LoadBalancerInfo } from './client/index.ts'
import type { OwnerView } from './owner-view.ts'

/** What was read elsewhere for a plan. */
export interface Lookups {
  /** By `namespace/name`; undefined when there is none. */
  readonly configs: ReadonlyMap<string, TkeServiceConfig | undefined>
  /** Ids of certificates by `namespace/secret`, or why there are none. */
  readonly certificates: ReadonlyMap<string, CertificateLookup>
  /** Instances by the node's name, for nodes that do not say. */
  readonly instances: ReadonlyMap<string, string>
}

export type CertificateLookup = { readonly ids: readonly string[] } | { readonly problem: string }

export interface PlanInput {
  readonly views: readonly OwnerView[]
  readonly nodes: readonly TargetNode[]
  readonly info: Pick<LoadBalancerInfo, 'vips' | 'ipv6' | 'domain'>
  /** What is there: frozen owners keep theirs, and what is not ours keeps its port. */
  readonly present: readonly ListenerInfo[]
  readonly lookups: Lookups
  readonly nodeTargets: 'instance' | 'address'
  /** Made for its Service, so that its own attributes may be changed. */
  readonly isOwn: boolean
}
