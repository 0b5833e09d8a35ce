import type { EndpointSlice, Node, Service } from '../api/index.ts'
import { aborted, type Clock, type Component, createBackoff, errorMessage, type Logger, sleep } from '../base/index.ts'
import type { Client, EventRecorder, Leadership } from '../client/index.ts'
import {
  again,
  createWorkQueue,
  DONE,
  type Informer,
  type Outcome as QueueOutcome,
  runController,
  waitForSync,
} from '../informers/index.ts'
import { serviceOfSlice } from '../model/index.ts'
import { desiredLoadBalancer } from './desired.ts'
import { createLoadBalancerEvents } from './events.ts'
import { createMemberIndex, type MemberIndex } from './member-index.ts'
import { type Memory, newMemory } from './memory.ts'
import type { LoadBalancerMetrics } from './metrics.ts'
import { runOrphanSearch } from './orphans.ts'
import type { DesiredLoadBalancer, LoadBalancerKey, Provider } from './provider.ts'
import { type ReconcileDeps, reconcileKey } from './reconcile.ts'
import { createServiceWriter } from './service-writer.ts'
import { readMembers, readNodes, readOwner } from './snapshot.ts'
import { createTargetNodes, type TargetNodes } from './target-nodes.ts'

export interface LoadBalancerControllerOptions {
  readonly client: Client
  readonly services: Informer<Service>
  /** With the index of `sliceIndexes`. */
  readonly slices: Informer<EndpointSlice>
  readonly nodes: Informer<Node>
  readonly provider: Provider
  /** Tells the load balancers of one cluster from those of another. */
  readonly clusterId: string
  readonly leadership: Leadership
  readonly recorder: EventRecorder
  readonly metrics: LoadBalancerMetrics
  /** How many load balancers are worked on at a time. */
  readonly workers?: number
  /** How long until everything is read anew, also when nothing changed; spread by a fifth. Ten minutes when left out. */
  readonly fullLookMs?: number
  /** Takes away what no Service wants, once it has been seen for half an hour. Only tells of it when left out. */
  readonly prune?: boolean
  readonly clock: Clock
  readonly log: Logger
  /** For the jitter; `Math.random` when left out. */
  readonly random?: () => number
}

const FULL_LOOK_MS = 600_000
/** The pace at which a new leader looks at what was in order before, so that what changes meanwhile need not wait for it. */
const FIRST_LOOKS_PER_SECOND = 20

/** The service controller: keeps the load balancers of Services as they want them, through one provider. Acts while it leads. */
export const createLoadBalancerController = (options: LoadBalancerControllerOptions): Component => ({
  name: `load balancers (${options.provider.name})`,
  start: async (signal) => ({ stopped: run(options, signal) }),
})

/** What is kept in step with the caches. */
interface Derived {
  readonly members: MemberIndex
  readonly targets: TargetNodes
}

interface Term {
  readonly signal: AbortSignal
  /** When what was in order before is looked at; a change comes first. */
  readonly firstLooks: Map<LoadBalancerKey, number>
  readonly memories: Map<LoadBalancerKey, Memory>
}

const run = async (options: LoadBalancerControllerOptions, signal: AbortSignal): Promise<void> => {
  const { services, slices, nodes, provider, leadership, clock, log } = options
  try {
    await waitForSync([services, slices, nodes], signal)
  } catch {
    return
  }
  const members = createMemberIndex(provider)
  const targets = createTargetNodes(nodes)
  const deps = depsOf(options, { members, targets })
  const queue = createWorkQueue({ clock, backoff: { initialMs: 5_000, maxMs: 300_000, jitter: 0.1 } })
  let term: Term | undefined
  const subscriptions = [
    ...watch(options, { members, targets }, (key) => {
      term?.firstLooks.delete(key)
      queue.add(key)
    }),
    provider.onChange((key) => {
      const memory = term?.memories.get(key)
      if (memory !== undefined) memory.isWoken = true
      term?.firstLooks.delete(key)
      queue.add(key)
    }),
  ]
  const leading = leadTerms({ leadership, signal }, async (termSignal) => {
    await warm(deps, { keys: members.keys(), clock, log }, termSignal)
    if (termSignal.aborted) return
    term = { signal: termSignal, firstLooks: firstLooks(deps, members.keys()), memories: new Map() }
    for (const key of members.keys()) queue.add(key)
    await runOrphanSearch({ ...options, prune: options.prune ?? false }, termSignal)
    await aborted(termSignal)
    term = undefined
  })
  const reconcile = (key: string): Promise<QueueOutcome> =>
    term === undefined || !leadership.isLeader ? Promise.resolve(DONE) : reconcileIn(deps, key, term)
  await runController({ name: 'load balancers', queue, reconcile, workers: options.workers ?? 4, clock, log, signal })
  await leading
  for (const unsubscribe of subscriptions) unsubscribe()
}

const depsOf = (options: LoadBalancerControllerOptions, { members, targets }: Derived): ReconcileDeps => {
  const { client, services, slices, provider, clusterId, recorder, metrics, clock } = options
  const writer = createServiceWriter({ client, services, wrote: (what) => metrics.writes.inc({ what }) })
  return {
    provider,
    members,
    services: writer,
    slices,
    nodes: targets,
    clusterId,
    events: createLoadBalancerEvents(recorder),
    metrics,
    fullLookMs: options.fullLookMs ?? FULL_LOOK_MS,
    clock,
    random: options.random ?? Math.random,
  }
}

const reconcileIn = async (
  deps: ReconcileDeps,
  key: LoadBalancerKey,
  { signal, firstLooks, memories }: Term,
): Promise<QueueOutcome> => {
  if (deps.members.of(key).length === 0) {
    memories.delete(key)
    deps.metrics.loadBalancers.set(memories.size)
    return DONE
  }
  const waitMs = (firstLooks.get(key) ?? 0) - deps.clock.monotonic()
  if (waitMs > 0) return again(waitMs)
  firstLooks.delete(key)
  const memory = memories.get(key) ?? newMemory()
  memories.set(key, memory)
  deps.metrics.loadBalancers.set(memories.size)
  return reconcileKey(deps, { key, memory }, signal)
}

/** From a change to the load balancers that it concerns. */
const watch = (
  { services, slices, provider }: LoadBalancerControllerOptions,
  { members, targets }: Derived,
  add: (key: LoadBalancerKey) => void,
): readonly (() => void)[] => {
  const addAll = (keys: Iterable<LoadBalancerKey>): void => {
    for (const key of keys) add(key)
  }
  const keysOfService = (service: Service): readonly LoadBalancerKey[] => members.set(service)
  return [
    services.onChange((change) =>
      addAll(change.type === 'deleted' ? members.remove(change.object) : keysOfService(change.object)),
    ),
    ...(provider.supports.has('Endpoints')
      ? [
          slices.onChange(({ object }) => {
            const [namespace = '', name = ''] = (serviceOfSlice(object) ?? '').split('/')
            const service = services.get(namespace, name)
            if (service !== undefined) addAll(keysOfService(service))
          }),
        ]
      : []),
    ...(provider.supports.has('Nodes') ? [targets.onChange(() => addAll([...members.keys()]))] : []),
  ]
}

/** One `lead` for each term, one after the other; resolves when `signal` has aborted and the last one ended. */
const leadTerms = async (
  { leadership, signal }: { readonly leadership: Leadership; readonly signal: AbortSignal },
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  while (!signal.aborted) {
    const changed = new AbortController()
    const stop = (): void => changed.abort()
    const unsubscribe = leadership.onChange(stop)
    signal.addEventListener('abort', stop, { once: true })
    if (leadership.isLeader) await lead(changed.signal)
    else await aborted(changed.signal)
    unsubscribe()
    signal.removeEventListener('abort', stop)
  }
}

/** The provider takes over what was made before; tried until it works, since without it nothing can be decided. */
const warm = async (
  deps: ReconcileDeps,
  { keys, clock, log }: { readonly keys: Iterable<LoadBalancerKey>; readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> => {
  const backoff = createBackoff({ initialMs: 5_000, maxMs: 300_000, jitter: 0.1 })
  while (!signal.aborted) {
    try {
      return await deps.provider.warm(
        [...keys].map((key) => knownLoadBalancer(deps, key)),
        signal,
      )
    } catch (error) {
      if (signal.aborted) return
      const retryMs = backoff.next()
      log.warn('the provider could not take over', { provider: deps.provider.name, error: errorMessage(error), retryMs })
      await sleep(clock, retryMs, signal)
    }
  }
}

const knownLoadBalancer = (deps: ReconcileDeps, key: LoadBalancerKey): DesiredLoadBalancer => {
  const { staying, joining, leaving } = readMembers(deps, key)
  const tokens = [...staying, ...leaving].flatMap(({ membership: { holds } }) => (holds?.token ? [holds.token] : []))
  return desiredLoadBalancer({
    key,
    token: tokens[0] ?? '',
    clusterId: deps.clusterId,
    owners: [
      ...[...staying, ...joining].map(({ service }) => readOwner(deps, service, 'wanted')),
      ...leaving.map(({ service }) => readOwner(deps, service, 'leaving')),
    ],
    nodes: readNodes(deps),
  })
}

/** What is in order comes after what is not, and slowly where a look costs calls to a cloud. */
const firstLooks = (deps: ReconcileDeps, keys: Iterable<LoadBalancerKey>): Map<LoadBalancerKey, number> => {
  const looks = new Map<LoadBalancerKey, number>()
  if (!deps.provider.supports.has('Drift')) return looks
  let at = deps.clock.monotonic()
  for (const key of keys) {
    if (!isInOrder(deps, key)) continue
    at += 1_000 / FIRST_LOOKS_PER_SECOND
    looks.set(key, at)
  }
  return looks
}

const isInOrder = (deps: ReconcileDeps, key: LoadBalancerKey): boolean => {
  const { joining, leaving, staying } = readMembers(deps, key)
  const isServed = ({ status }: Service): boolean => (status?.loadBalancer?.ingress ?? []).length > 0
  return joining.length === 0 && leaving.length === 0 && staying.every(({ service }) => isServed(service))
}
