import type { LoadBalancerIngress } from '../../api/index.ts'
import { LoadBalancerError } from '../errors.ts'
import type { DesiredLoadBalancer, Owner, Problem, Provider, ServiceOutcome } from '../provider.ts'

/** A cloud in memory whose every effect may fail, get its answer lost, or be the last thing that a process does. */
export interface FakeCloud {
  readonly balancers: Map<string, FakeBalancer>
  /** Effects so far. */
  readonly effects: number
  /** Calls of the provider's methods so far. */
  readonly calls: readonly string[]
  /** Called before and after each effect; what it throws is what the provider gets. */
  fault: ((effect: string, when: 'before' | 'after') => void) | undefined
  /** A provider as a new process has it. */
  provider(options?: FakeProviderOptions): Provider
}

export interface FakeProviderOptions {
  readonly drainMs?: number
}

export interface FakeBalancer {
  readonly id: string
  readonly key: string
  readonly token: string
  readonly address: string
  /** `TCP 80` to the owner's uid. */
  readonly listeners: Map<string, string>
}

/** Services with the same value have the same load balancer. */
export const SHARE_ANNOTATION = 'fake/share'

export const fakeCloud = (): FakeCloud => {
  const balancers = new Map<string, FakeBalancer>()
  const calls: string[] = []
  const cloud = { balancers, calls, effects: 0, fault: undefined as FakeCloud['fault'] }
  let ids = 0
  const effect = async <T>(name: string, act: () => T): Promise<T> => {
    cloud.fault?.(name, 'before')
    cloud.effects++
    const answer = act()
    cloud.fault?.(name, 'after')
    await Promise.resolve()
    return answer
  }
  /** As a cloud with client tokens: the same token makes the same load balancer. */
  const create = (key: string, token: string): FakeBalancer => {
    const known = [...balancers.values()].find((each) => each.token === token)
    if (known !== undefined) return known
    const id = `lb-${++ids}`
    const made = { id, key, token, address: `203.0.113.${ids}`, listeners: new Map<string, string>() }
    balancers.set(id, made)
    return made
  }
  return Object.assign(cloud, {
    provider: (options: FakeProviderOptions = {}): Provider => fakeProvider({ balancers, calls, effect, create }, options),
  })
}

interface CloudPort {
  readonly balancers: Map<string, FakeBalancer>
  readonly calls: string[]
  effect<T>(name: string, act: () => T): Promise<T>
  create(key: string, token: string): FakeBalancer
}

const fakeProvider = ({ balancers, calls, effect, create }: CloudPort, { drainMs }: FakeProviderOptions): Provider => {
  const find = (key: string): FakeBalancer | undefined => [...balancers.values()].find((each) => each.key === key)
  const handlers = new Set<(key: string) => void>()
  const drained = new Set<string>()
  return {
    name: 'fake',
    supports: new Set(['Nodes', 'Endpoints', 'Drift']),
    claim({ metadata, spec }) {
      if (spec.loadBalancerClass !== undefined && spec.loadBalancerClass !== 'fake') return { kind: 'not-ours' }
      const share = metadata.annotations?.[SHARE_ANNOTATION]
      if (share === 'wrong')
        return { kind: 'refused', problems: [{ reason: 'WrongAnnotation', message: 'no load balancer is called wrong' }] }
      return { kind: 'ours', key: share === undefined ? `${metadata.namespace}/${metadata.name}` : `share:${share}` }
    },
    warm: async () => {},
    observe: async () =>
      [...balancers.values()].map(({ id, key, token, address, listeners }) => ({
        id,
        key,
        token,
        addresses: [address],
        listeners: [...listeners.keys()].map((name) => ({
          protocol: name.split(' ')[0] ?? '',
          port: Number(name.split(' ')[1]),
        })),
        isOwned: true,
      })),
    async ensure(desired) {
      calls.push(`ensure ${desired.key}`)
      if (desired.owners.some(({ annotations }) => annotations['fake/refuse'] !== undefined)) {
        throw new LoadBalancerError('refused', 'the annotation fake/refuse is refused', { reason: 'Refused' })
      }
      const balancer = find(desired.key) ?? (await effect('create', () => create(desired.key, desired.token)))
      const { wanted, problems } = listenersOf(desired)
      for (const name of [...balancer.listeners.keys()]) {
        if (!wanted.has(name)) await effect('delete listener', () => balancer.listeners.delete(name))
      }
      for (const [name, uid] of wanted) {
        if (balancer.listeners.get(name) !== uid) await effect('set listener', () => balancer.listeners.set(name, uid))
      }
      return { services: outcomesOf(desired, problems, balancer.address) }
    },
    async remove({ key, owners }) {
      calls.push(`remove ${key}`)
      const balancer = find(key)
      if (balancer !== undefined && drainMs !== undefined && !drained.has(key)) {
        drained.add(key)
        return { againAfterMs: drainMs, services: new Map() }
      }
      if (balancer !== undefined) {
        for (const name of [...balancer.listeners.keys()]) await effect('delete listener', () => balancer.listeners.delete(name))
        await effect('delete', () => balancers.delete(balancer.id))
      }
      return { services: new Map(owners.map(({ uid }) => [uid, { ingress: [], problems: [], isReleased: true }])) }
    },
    prune: async ({ id }) => void (await effect('prune', () => balancers.delete(id))),
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
}

const listenersOf = ({ owners }: DesiredLoadBalancer) => {
  const wanted = new Map<string, string>()
  const problems = new Map<string, Problem[]>()
  for (const owner of owners.filter(({ state }) => state === 'wanted')) {
    for (const { protocol, port } of owner.listeners) {
      const name = `${protocol} ${port}`
      if (!wanted.has(name)) wanted.set(name, owner.uid)
      else problems.set(owner.uid, [{ reason: 'PortConflict', message: `${name} is another Service's` }])
    }
  }
  return { wanted, problems }
}

const outcomesOf = (
  { owners }: DesiredLoadBalancer,
  problems: ReadonlyMap<string, readonly Problem[]>,
  address: string,
): ReadonlyMap<string, ServiceOutcome> =>
  new Map(owners.map((owner) => [owner.uid, outcomeOf(owner, problems.get(owner.uid) ?? [], address)]))

const outcomeOf = ({ state }: Owner, problems: readonly Problem[], ip: string): ServiceOutcome => {
  const ingress: readonly LoadBalancerIngress[] = [{ ip, ipMode: 'VIP' }]
  return state === 'leaving' ? { ingress: [], problems: [], isReleased: true } : { ingress, problems, isReleased: false }
}
