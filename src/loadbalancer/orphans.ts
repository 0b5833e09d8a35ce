import { type Service, serviceKind } from '../api/index.ts'
import { type Clock, errorMessage, type Logger, sleep } from '../base/index.ts'
import type { Client } from '../client/index.ts'
import { membershipOf } from './membership.ts'
import type { LoadBalancerMetrics } from './metrics.ts'
import { placementOf } from './placement.ts'
import type { ObservedLoadBalancer, Provider } from './provider.ts'

export interface OrphanSearchOptions {
  readonly client: Pick<Client, 'list'>
  readonly provider: Provider
  readonly metrics: LoadBalancerMetrics
  readonly prune: boolean
  readonly clock: Clock
  readonly log: Logger
}

const SEARCH_MS = 3_600_000
/** What is being made just now looks like an orphan for a moment. */
const GRACE_MS = 1_800_000

/** Looks each hour for load balancers that no Service wants, tells of those that stay so for half an hour, and takes them away when asked to. */
export const runOrphanSearch = async (options: OrphanSearchOptions, signal: AbortSignal): Promise<void> => {
  const { clock, log } = options
  let suspects: readonly ObservedLoadBalancer[] = []
  while (!signal.aborted) {
    // Never in the first round after a start: what runs then is still being taken over.
    await sleep(clock, suspects.length > 0 ? GRACE_MS : SEARCH_MS, signal)
    if (signal.aborted) return
    try {
      suspects = await search(options, suspects, signal)
    } catch (error) {
      if (!signal.aborted) log.warn('the search for orphans failed', { error: errorMessage(error) })
    }
  }
}

/** Those that nobody wants now; those that nobody wanted the last time either are told, and taken away. */
const search = async (
  options: OrphanSearchOptions,
  suspects: readonly ObservedLoadBalancer[],
  signal: AbortSignal,
): Promise<readonly ObservedLoadBalancer[]> => {
  const { provider, metrics, prune, log } = options
  const orphans = orphansOf(await provider.observe(signal), await allServices(options.client, signal), provider)
  const certain = orphans.filter(({ id }) => suspects.some((suspect) => suspect.id === id))
  metrics.orphans.set(certain.length)
  for (const { id, key = '', addresses } of certain) {
    log.warn('a load balancer that no Service wants', { provider: provider.name, id, key, addresses: addresses.join(','), prune })
  }
  if (!prune) return orphans
  for (const orphan of certain) {
    await provider.prune(orphan, signal)
    log.info('took away a load balancer that no Service wants', { provider: provider.name, id: orphan.id })
  }
  return orphans.filter((orphan) => !certain.includes(orphan))
}

/** What is ours to take away and that no Service holds or wants, by key or by token. Pure. */
export const orphansOf = (
  observed: readonly ObservedLoadBalancer[],
  services: readonly Service[],
  provider: Pick<Provider, 'name' | 'claim'>,
): readonly ObservedLoadBalancer[] => {
  const keys = new Set<string>()
  const tokens = new Set<string>()
  for (const service of services) {
    const { wants, holds } = membershipOf(service, provider)
    if (wants !== undefined) keys.add(wants)
    if (holds !== undefined) keys.add(holds.key)
    const token = placementOf(service)?.token
    if (token) tokens.add(token)
  }
  const isWanted = ({ key, token }: ObservedLoadBalancer): boolean =>
    (key !== undefined && keys.has(key)) || (token !== undefined && tokens.has(token))
  return observed.filter((each) => each.isOwned && !isWanted(each))
}

/** From the server: a cache that is behind would make orphans of what is new. */
const allServices = async (client: OrphanSearchOptions['client'], signal: AbortSignal): Promise<readonly Service[]> => {
  const all: Service[] = []
  let token: string | undefined
  do {
    const page = await client.list(serviceKind, { limit: 500, signal, ...(token === undefined ? {} : { continue: token }) })
    all.push(...page.items)
    token = page.continue
  } while (token !== undefined && token !== '')
  return all
}
