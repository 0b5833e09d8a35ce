import type { LoadBalancerIngress } from '../../../api/index.ts'
import type { DesiredLoadBalancer, Owner, Provider, ServiceOutcome } from '../../provider.ts'
import { type Allocator, createAllocator } from './allocator.ts'
import { LOCAL_CLASS, type LocalConfig } from './config.ts'
import { nameOf, shareOf } from './sharing.ts'
import { SHARE_ANNOTATION, wishOf } from './wish.ts'

/**
 * Gives Services addresses of pools; the proxies of the nodes carry them. What was given is in the statuses of Services and nowhere else, so that a restart finds it
 * there.
 */
export const createLocalProvider = ({ pools, isDefault, className }: Omit<LocalConfig, 'announce'>): Provider => {
  const tokens = new Map<string, string>()
  const ports = new Map<string, readonly string[]>()
  const handlers = new Set<(key: string) => void>()

  const allocator = createAllocator(pools, (key) => {
    for (const handler of [...handlers]) handler(key)
  })
  return {
    name: providerName(className),
    supports: new Set(['NoNodePorts', 'SCTP']),
    claim({ metadata, spec }) {
      const wanted = spec.loadBalancerClass
      if (wanted === undefined || wanted === '' ? !isDefault : wanted !== className) return { kind: 'not-ours' }
      const share = metadata.annotations?.[SHARE_ANNOTATION]
      if (share === undefined || share === '') return { kind: 'ours', key: `${metadata.namespace ?? ''}/${metadata.name}` }
      if (/^[!-~]{1,100}$/.test(share)) return { kind: 'ours', key: `shared:${share}` }
      const message = `${SHARE_ANNOTATION} must be 1 to 100 printable characters without blanks`
      return { kind: 'refused', problems: [{ reason: 'InvalidAnnotation', message }] }
    },
    async warm(all) {
      // Those that were placed had their addresses from here; oldest first, where two say the same.
      const placed = all.filter(({ token }) => token !== '').sort((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1))
      for (const { key, token, owners } of placed) {
        tokens.set(key, token)
        for (const { ingress } of owners) for (const { ip } of ingress) if (ip) allocator.adopt(key, ip)
      }
    },
    observe: async () =>
      [...allocator.held()].map(([key, addresses]) => ({
        id: key,
        key,
        token: tokens.get(key),
        addresses,
        listeners: [],
        isOwned: true,
      })),
    async ensure(desired) {
      tokens.set(desired.key, desired.token)
      const { outcome, served } = serve(desired, allocator, ports)
      for (const { uid } of desired.owners) ports.delete(uid)
      for (const { uid, listeners } of served) ports.set(uid, listeners.map(nameOf))
      return outcome
    },
    async remove({ key, owners }) {
      tokens.delete(key)
      for (const { uid } of owners) ports.delete(uid)
      allocator.release(key)
      return { services: new Map(owners.map((owner) => [owner.uid, RELEASED])) }
    },
    prune: async ({ id }) => allocator.release(id),
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}

/** What Services remember: two instances of different classes in one cluster leave each other's alone. */
export const providerName = (className: string): string => (className === LOCAL_CLASS ? 'local' : `local/${className}`)

const RELEASED: ServiceOutcome = { ingress: [], problems: [], isReleased: true }

const ageOf = ({ owners, key }: DesiredLoadBalancer): string => `${owners[0]?.createdAt ?? ''} ${key}`

const serve = (desired: DesiredLoadBalancer, allocator: Allocator, ports: ReadonlyMap<string, readonly string[]>) => {
  const wanted = desired.owners.filter(({ state }) => state === 'wanted')
  const { served, refused } = shareOf(wanted, { ports, addresses: allocator.of(desired.key) })
  const wish = wishOf(served)
  const { addresses, problem } =
    wish === undefined ? { addresses: [], problem: undefined } : allocator.allocate(desired.key, wish.wish)
  const problems = [...(wish?.problems ?? []), ...(problem === undefined ? [] : [problem])]
  const outcomeOf = (owner: Owner): ServiceOutcome => {
    if (owner.state === 'leaving') return RELEASED
    const own = refused.get(owner.uid)
    if (own !== undefined) return { ingress: [], problems: [own], isReleased: false }
    return { ingress: addresses.map(entryOf), problems, isReleased: false }
  }
  return { served, outcome: { services: new Map(desired.owners.map((owner) => [owner.uid, outcomeOf(owner)])) } }
}

const entryOf = (ip: string): LoadBalancerIngress => ({ ip, ipMode: 'VIP' })
