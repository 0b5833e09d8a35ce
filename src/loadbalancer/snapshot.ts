import type { EndpointSlice, Service } from '../api/index.ts'
import type { Lister } from '../informers/index.ts'
import type { OwnerSnapshot } from './desired.ts'
import type { MemberIndex } from './member-index.ts'
import { isRefused, type Membership, membershipOf } from './membership.ts'
import type { LoadBalancerKey, Provider, TargetNode } from './provider.ts'
import type { ServiceWriter } from './service-writer.ts'
import type { TargetNodes } from './target-nodes.ts'

export interface SnapshotSources {
  readonly provider: Provider
  readonly members: Pick<MemberIndex, 'of'>
  readonly services: Pick<ServiceWriter, 'get'>
  readonly slices: Lister<EndpointSlice>
  readonly nodes: Pick<TargetNodes, 'list'>
}

/** The Services of one load balancer, and what each is to it. */
export interface Members {
  /** Placed here and staying. */
  readonly staying: readonly Member[]
  /** Wanted here, nothing made yet. */
  readonly joining: readonly Member[]
  readonly leaving: readonly Member[]
  /** Made by another provider that has not let go. */
  readonly heldByOthers: readonly Member[]
  /** Cannot be served before the user changes them. */
  readonly refused: readonly Member[]
}

export interface Member {
  readonly service: Service
  readonly membership: Membership
}

export const readMembers = (
  sources: Pick<SnapshotSources, 'provider' | 'members' | 'services'>,
  key: LoadBalancerKey,
): Members => {
  const all = sources.members.of(key).flatMap((name): readonly Member[] => {
    const slash = name.indexOf('/')
    const service = sources.services.get(name.slice(0, slash), name.slice(slash + 1))
    return service === undefined ? [] : [{ service, membership: membershipOf(service, sources.provider) }]
  })
  const isHere = ({ membership: { holds } }: Member): boolean => holds?.key === key
  const isWanted = ({ membership: { wants } }: Member): boolean => wants === key
  return {
    staying: all.filter((member) => isHere(member) && isWanted(member)),
    leaving: all.filter((member) => isHere(member) && !isWanted(member)),
    joining: all.filter(
      (member) => isWanted(member) && member.membership.holds === undefined && member.membership.heldByOther === undefined,
    ),
    heldByOthers: all.filter(({ membership }) => membership.heldByOther !== undefined),
    refused: all.filter(({ membership }) => isRefused(membership)),
  }
}

/** With its slices, where the provider uses them. */
export const readOwner = (
  { provider, slices }: Pick<SnapshotSources, 'provider' | 'slices'>,
  service: Service,
  state: OwnerSnapshot['state'],
): OwnerSnapshot => {
  const name = `${service.metadata.namespace ?? ''}/${service.metadata.name}`
  return { service, state, slices: provider.supports.has('Endpoints') ? slices.byIndex('service', name) : [] }
}

export const readNodes = ({ provider, nodes }: Pick<SnapshotSources, 'provider' | 'nodes'>): readonly TargetNode[] =>
  provider.supports.has('Nodes') ? nodes.list() : NO_NODES

const NO_NODES: readonly TargetNode[] = []
