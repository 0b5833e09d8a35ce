import type { Service } from '../api/index.ts'
import { hasFinalizer, placementOf } from './placement.ts'
import type { LoadBalancerKey, Placement, Problem, Provider } from './provider.ts'

/** Where a Service belongs and where it is. */
export interface Membership {
  /** The load balancer that it is to have; undefined when it is to have none of ours. */
  readonly wants: LoadBalancerKey | undefined
  /** The one in which something may have been made for it. */
  readonly holds: Placement | undefined
  /** Another provider made something for it, and has to take it away first. */
  readonly heldByOther: string | undefined
  readonly problems: readonly Problem[]
}

/** Pure: from the Service as it is now. */
export const membershipOf = (service: Service, provider: Pick<Provider, 'name' | 'claim'>): Membership => {
  const placed = placementOf(service)
  const holds = placed?.provider === provider.name ? placed : undefined
  const heldByOther = placed !== undefined && holds === undefined ? placed.provider : undefined
  const claim = provider.claim(service, holds)
  if (!isWanted(service)) {
    const held = holds ?? (placed === undefined && claim.kind === 'ours' ? lost(service, provider.name, claim.key) : undefined)
    return { wants: undefined, holds: held, heldByOther: undefined, problems: [] }
  }
  if (claim.kind === 'not-ours') return { wants: undefined, holds, heldByOther: undefined, problems: [] }
  const problems = claim.problems ?? []
  if (claim.kind === 'refused') return { wants: holds?.key, holds, heldByOther: undefined, problems }
  return { wants: claim.key, holds, heldByOther, problems }
}

const isWanted = ({ metadata, spec }: Service): boolean =>
  spec.type === 'LoadBalancer' && metadata.deletionTimestamp === undefined

/** Somebody took the annotation away while the finalizer stayed: the provider finds by its marks what there is. */
const lost = (service: Service, provider: string, key: LoadBalancerKey): Placement | undefined =>
  hasFinalizer(service) ? { provider, key, token: '' } : undefined

/** Every key that the Service has to do with; one of its own where it is refused and there is nobody to tell it elsewhere. */
export const keysOf = (service: Service, membership: Membership): readonly LoadBalancerKey[] => {
  const { wants, holds } = membership
  const keys = [wants, holds?.key].filter((key) => key !== undefined)
  if (isRefused(membership)) return [`refused ${service.metadata.namespace ?? ''}/${service.metadata.name}`]
  return [...new Set(keys)]
}

/** Nothing is made for it, and nothing was. */
export const isRefused = ({ wants, holds, problems }: Membership): boolean =>
  wants === undefined && holds === undefined && problems.length > 0
