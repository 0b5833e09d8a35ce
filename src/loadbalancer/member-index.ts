import type { Service } from '../api/index.ts'
import { keysOf, membershipOf } from './membership.ts'
import type { LoadBalancerKey, Provider } from './provider.ts'

/** Which Services have to do with a load balancer, kept in step with the cache. */
export interface MemberIndex {
  /** `namespace/name` of each. */
  of(key: LoadBalancerKey): readonly string[]
  keys(): Iterable<LoadBalancerKey>
  /** Returns every key that is concerned, before or after. */
  set(service: Service): readonly LoadBalancerKey[]
  remove(service: Service): readonly LoadBalancerKey[]
}

export const createMemberIndex = (provider: Pick<Provider, 'name' | 'claim'>): MemberIndex => {
  const byKey = new Map<LoadBalancerKey, Set<string>>()
  const keysByService = new Map<string, readonly LoadBalancerKey[]>()

  const put = (service: string, keys: readonly LoadBalancerKey[]): readonly LoadBalancerKey[] => {
    const before = keysByService.get(service) ?? []
    for (const key of before) {
      const members = byKey.get(key)
      members?.delete(service)
      if (members?.size === 0) byKey.delete(key)
    }
    for (const key of keys) byKey.set(key, (byKey.get(key) ?? new Set()).add(service))
    if (keys.length > 0) keysByService.set(service, keys)
    else keysByService.delete(service)
    return [...new Set([...before, ...keys])]
  }
  return {
    of: (key) => [...(byKey.get(key) ?? [])],
    keys: () => byKey.keys(),
    set: (service) => put(serviceName(service), keysOf(service, membershipOf(service, provider))),
    remove: (service) => put(serviceName(service), []),
  }
}

/** `namespace/name`. */
const serviceName = ({ metadata }: Pick<Service, 'metadata'>): string => `${metadata.namespace ?? ''}/${metadata.name}`
