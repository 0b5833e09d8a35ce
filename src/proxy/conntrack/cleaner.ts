import { setImmediate } from 'node:timers/promises'
import { type Clock, errorMessage, type Logger } from '../../base/index.ts'
import type { IPFamily } from '../../ip/index.ts'
import type { Conntrack, ConntrackEntry, FlowEnd } from '../../kernel/conntrack/index.ts'
import type { Forwarding, NodeView } from '../../model/index.ts'
import type { Change } from '../backend.ts'
import { connectionPlaces, isLost } from './desired-connections.ts'
import { desiredRemovals } from './desired-flows.ts'
import { type ChangedForwarding, desiredLook, type MovedProtocol, type Suspect } from './desired-look.ts'
import type { FlowMetrics } from './metrics.ts'

/** What a cleaner works with. */
export interface FlowCleanerOptions {
  readonly conntrack: Conntrack
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: FlowMetrics
}

/** What one look did. */
export interface CleanReport {
  /** Frontends whose flows were looked at; when none, nothing was listed. */
  readonly frontends: number
  readonly listed: number
  readonly removed: number
  /** Why it failed; what was not looked at is looked at after the next sync. */
  readonly failed?: string
}

/**
 * Removes flows that lead where the rules would not send them any more, for backends that `supports` says `TracksFlows`.
 * Order: after each `backend.sync`, and before the next one, so that what is judged is what the rules say. One call at a time.
 * Never rejects for a failure of the machine: that is in the report, the log and the metrics, and is made up for at the next call.
 */
export interface FlowCleaner {
  /** After a sync that resolved; `before` is what was carried until it. */
  afterSync(before: ReadonlyMap<string, Forwarding>, change: Change): Promise<CleanReport>
  /** After a sync that rejected: flows may have been made under parts of it. */
  afterFailure(change: Change): void
  /**
   * Looks at all flows to UDP and SCTP frontends: for a slow, background pace. Finds also what a packet made under the old rules while they were
   * replaced.
   */
  sweep(carried: ReadonlyMap<string, Forwarding>, node: NodeView): Promise<CleanReport>
  /**
   * After rules that were missing are back: removes what TCP connections left that began meanwhile, so that the next attempt of the same connection
   * finds an endpoint. Connections that anybody answered stay.
   */
  afterRepair(carried: ReadonlyMap<string, Forwarding>, node: NodeView): Promise<CleanReport>
}

interface State extends FlowCleanerOptions {
  /** What Services may have been carried as, beyond what the books say, by key: of failed syncs and failed looks. */
  readonly doubted: Map<string, readonly Forwarding[]>
  /** As it was at the last look that succeeded. */
  node: NodeView | undefined
}

/** One for a backend and the life of a process; it learns what was carried from the calls. */
export const createFlowCleaner = (options: FlowCleanerOptions): FlowCleaner => {
  const state: State = { ...options, doubted: new Map(), node: undefined }
  return {
    afterSync: (before, change) => clean(state, { before, after: appliedTo(before, change), change }),
    afterFailure({ set, delete: gone }) {
      for (const key of gone) doubt(state, key, [])
      for (const forwarding of set) doubt(state, forwarding.key, [forwarding])
    },
    sweep: (carried, node) =>
      clean(state, { before: carried, after: carried, change: { full: true, set: [...carried.values()], delete: [], node } }),
    afterRepair: (carried, node) => freeLost(state, carried, node),
  }
}

/** So many states of a Service are kept in doubt; a machine on which every look fails must not fill the memory. */
const MOST_DOUBTED = 16

const doubt = ({ doubted }: State, key: string, forwardings: readonly Forwarding[]): void => {
  const known = new Set([...(doubted.get(key) ?? []), ...forwardings])
  doubted.set(key, [...known].slice(-MOST_DOUBTED))
}

/** What is carried now. */
interface Books {
  get(key: string): Forwarding | undefined
  values(): Iterable<Forwarding>
}

/** Without a copy of `before`, which holds the world. */
const appliedTo = (before: ReadonlyMap<string, Forwarding>, change: Change): Books => {
  const set = new Map(change.set.map((forwarding) => [forwarding.key, forwarding]))
  const gone = new Set(change.delete)
  const isKept = (key: string): boolean => !change.full && !gone.has(key) && !set.has(key)
  return {
    get: (key) => set.get(key) ?? (isKept(key) ? before.get(key) : undefined),
    values: () => [...set.values(), ...[...before.values()].filter(({ key }) => isKept(key))],
  }
}

interface Step {
  readonly before: ReadonlyMap<string, Forwarding>
  readonly after: Books
  readonly change: Change
}

const clean = async (state: State, step: Step): Promise<CleanReport> => {
  const { node } = step.change
  const changed = changedBy(state, step)
  const suspects = desiredLook(changed.values(), node, state.node)
  state.doubted.clear()
  const total = { frontends: suspects.size, listed: 0, removed: 0 }
  const failures: string[] = []
  for (const [, group] of groupsOf(suspects)) {
    try {
      const { listed, removed } = await look(state, group, step)
      total.listed += listed
      total.removed += removed
    } catch (error) {
      failures.push(errorMessage(error))
      state.metrics.failures.inc({ ip_family: group.family })
    }
  }
  const [failed] = failures
  if (failed === undefined) {
    state.node = node
    return total
  }
  for (const [key, { before, after }] of changed) doubt(state, key, after === undefined ? before : [...before, after])
  state.log.warn('stale flows could not be removed; tried again after the next sync', { error: failed, frontends: suspects.size })
  return { ...total, failed }
}

/** What a change touches, with what is in doubt from before. */
const changedBy = (state: State, { before, after, change }: Step): ReadonlyMap<string, ChangedForwarding> => {
  const isUnsure = change.full || (state.node !== undefined && !isSameFor(state.node, change.node))
  const keys = isUnsure
    ? [...before.keys(), ...change.set.map(({ key }) => key), ...state.doubted.keys()]
    : [...change.delete, ...change.set.map(({ key }) => key), ...state.doubted.keys()]
  const changed = new Map<string, ChangedForwarding>()
  for (const key of keys) {
    const known = before.get(key)
    const doubted = state.doubted.get(key)
    changed.set(key, {
      before: [...(known === undefined ? [] : [known]), ...(doubted ?? [])],
      after: after.get(key),
      isUnsure: isUnsure || doubted !== undefined,
    })
  }
  return changed
}

/** What flows depend on of a node. */
const isSameFor = (a: NodeView, b: NodeView): boolean => {
  const of = ({ addresses, podCIDRs, nodePortAddresses }: NodeView) => JSON.stringify([addresses, podCIDRs, nodePortAddresses])
  return of(a) === of(b)
}

const freeLost = async (
  { conntrack, log, metrics }: State,
  carried: ReadonlyMap<string, Forwarding>,
  node: NodeView,
): Promise<CleanReport> => {
  const total = { frontends: 0, listed: 0, removed: 0 }
  for (const [family, destinations] of Object.entries(connectionPlaces(carried.values(), node)) as [IPFamily, FlowEnd[]][]) {
    if (destinations.length === 0) continue
    try {
      const entries = await conntrack.list({ family, protocol: 'TCP', destinations })
      const removed = await conntrack.remove(entries.filter(isLost))
      metrics.deleted.inc({ ip_family: family }, removed)
      total.frontends += destinations.length
      total.listed += entries.length
      total.removed += removed
    } catch (error) {
      metrics.failures.inc({ ip_family: family })
      const failed = errorMessage(error)
      log.warn('connections that began without rules could not be removed; they end by themselves', { error: failed })
      return { ...total, failed }
    }
  }
  return total
}

interface Group {
  readonly family: IPFamily
  readonly protocol: MovedProtocol
  readonly suspects: Map<string, Suspect>
}

/** One list serves all frontends of a family and protocol. */
const groupsOf = (suspects: ReadonlyMap<string, Suspect>): ReadonlyMap<string, Group> => {
  const groups = new Map<string, Group>()
  for (const [key, suspect] of suspects) {
    const { family, protocol } = suspect.destination
    const id = `${family} ${protocol}`
    const group = groups.get(id) ?? { family, protocol, suspects: new Map() }
    group.suspects.set(key, suspect)
    groups.set(id, group)
  }
  return groups
}

/** So many flows are judged in some ten milliseconds; then other work has a turn. */
const AT_ONCE = 5_000

const look = async (
  { conntrack, clock, log, metrics }: State,
  { family, protocol, suspects }: Group,
  { after, change }: Step,
): Promise<{ readonly listed: number; readonly removed: number }> => {
  const start = clock.monotonic()
  const destinations = [...suspects.values()].map(({ destination: { address, port } }) => ({ address, port }))
  const entries = await conntrack.list({ family, protocol, destinations })
  const stale: ConntrackEntry[] = []
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    if (from > 0) await setImmediate()
    const part = entries.slice(from, from + AT_ONCE)
    stale.push(...desiredRemovals({ entries: part, suspects, node: change.node, carried: () => after.values() }))
  }
  const removed = await conntrack.remove(stale)
  metrics.duration.observe({ ip_family: family }, (clock.monotonic() - start) / 1_000)
  metrics.deleted.inc({ ip_family: family }, removed)
  if (removed > 0) log.debug('stale flows removed', { family, protocol, removed, listed: entries.length })
  return { listed: entries.length, removed }
}
