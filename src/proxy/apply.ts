import type { EventText } from '../client/index.ts'
import type { Forwarding, NodeView } from '../model/index.ts'
import type { AuditAttempt, AuditCall } from './audit.ts'
import type { Backend, Change, FrontendStatus } from './backend.ts'
import { type Claims, createClaims } from './claims.ts'
import type { FlowCleaner } from './conntrack/index.ts'
import type { Batch } from './controller.ts'
import { type Desired, desired } from './desired.ts'
import { diff } from './diff.ts'
import type { ServiceHealthServers } from './health/service-health.ts'
import { type SnapshotSource, snapshot } from './snapshot.ts'

export interface ApplyDeps {
  readonly source: SnapshotSource
  /** `namespace/name` of every Service, for batches that concern all. */
  readonly allKeys: () => readonly string[]
  readonly node: () => NodeView
  readonly backend: Backend
  readonly health: ServiceHealthServers
  /** Where the kernel remembers the endpoints of flows. */
  readonly flows?: FlowCleaner
  /** Writes an Event about a Service. */
  readonly tell: (service: ServiceName, event: EventText) => void
  /** Gives other work of the process a turn. */
  readonly breathe: () => Promise<void>
}

export interface ServiceName {
  readonly namespace: string
  readonly name: string
}

export interface SyncReport {
  readonly full: boolean
  readonly services: number
  readonly set: readonly Forwarding[]
  readonly deleted: readonly string[]
}

/** What the proxy knows: what each Service wants, who has which frontend, and what the backend carries. */
export interface Applier {
  reconcile(batch: Batch): Promise<SyncReport>
  /** Compares the world with what the backend was told, unless a sync is in work, before the first, or after one that failed. Aborting `signal` ends it soon. */
  audit(call: AuditCall): Promise<AuditAttempt>
  /** Tells the backend of these Forwardings with the next batch, changed or not; gives the names of their Services. */
  tellAgain(keys: readonly string[]): ReadonlySet<string>
  /** What the backend carries. */
  readonly carried: ReadonlyMap<string, Forwarding>
  /** Service ports with policy Local, endpoints elsewhere and none here. */
  noLocalEndpoints(): { readonly internal: number; readonly external: number }
}

interface State {
  readonly deps: ApplyDeps
  readonly claims: Claims
  /** Keys of a Service's Forwardings, and its problems as last told. */
  readonly services: Map<string, { readonly keys: readonly string[]; readonly told: string }>
  /** What Services ask for, before frontends are shared out. */
  readonly asked: Map<string, Forwarding>
  readonly granted: Map<string, Forwarding>
  readonly carried: Map<string, Forwarding>
  readonly unsure: Set<string>
  readonly noLocal: Map<string, { readonly internal: number; readonly external: number }>
  hasSynced: boolean
  /** Syncs and audits take turns. */
  readonly turns: Turns
  /** Makes an audit that gives way to syncs end soon. */
  cutAudit: () => void
  /** The node as the backend last heard of it. */
  toldNode: string
}

export const createApplier = (deps: ApplyDeps): Applier => {
  const state: State = {
    deps,
    claims: createClaims(),
    services: new Map(),
    asked: new Map(),
    granted: new Map(),
    carried: new Map(),
    unsure: new Set(),
    noLocal: new Map(),
    hasSynced: false,
    turns: createTurns(),
    cutAudit: () => {},
    toldNode: '',
  }
  return {
    reconcile(batch) {
      state.cutAudit()
      return state.turns.take(() => reconcile(state, batch))
    },
    audit: async (call) => {
      if (state.turns.isBusy() || !state.hasSynced || state.unsure.size > 0) return { kind: 'busy' }
      return state.turns.take(() => audit(state, call))
    },
    tellAgain(keys) {
      const known = keys.flatMap((key) => state.carried.get(key) ?? [])
      for (const { key } of known) state.unsure.add(key)
      return new Set(known.map(({ namespace, name }) => `${namespace}/${name}`))
    },
    carried: state.carried,
    noLocalEndpoints: () => {
      let internal = 0
      let external = 0
      for (const counts of state.noLocal.values()) {
        internal += counts.internal
        external += counts.external
      }
      return { internal, external }
    },
  }
}

const audit = async (state: State, { givesWay, signal }: AuditCall): Promise<AuditAttempt> => {
  const { backend, flows, node } = state.deps
  const cut = new AbortController()
  const either = AbortSignal.any([cut.signal, signal])
  if (givesWay) state.cutAudit = () => cut.abort(new Error('a sync waits for the audit'))
  try {
    const drift = await backend.audit(either)
    if (drift.length > 0) await flows?.afterRepair(state.carried, node())
    if (either.aborted) return { kind: 'cut short', drift }
    await flows?.sweep(state.carried, node())
    return { kind: 'whole', drift }
  } catch (error) {
    if (!either.aborted || error !== either.reason) throw error
    return { kind: 'cut short', drift: [] }
  } finally {
    state.cutAudit = () => {}
  }
}

interface Turns {
  /** Runs after everything that was asked for before. */
  take<T>(work: () => Promise<T>): Promise<T>
  isBusy(): boolean
}

const createTurns = (): Turns => {
  let last: Promise<unknown> = Promise.resolve()
  let count = 0
  return {
    take(work) {
      count++
      const turn = last.then(work).finally(() => count--)
      last = turn.catch(() => {})
      return turn
    },
    isBusy: () => count > 0,
  }
}

const reconcile = async (state: State, batch: Batch): Promise<SyncReport> => {
  const { deps } = state
  const node = deps.node()
  const full = !state.hasSynced
  // A Service that is gone is in the batch; one that this process knew and the cache lost at a relist is too, as `deleted`.
  const keys = batch.nodeChanged ? new Set([...batch.keys, ...deps.allKeys(), ...state.services.keys()]) : batch.keys
  const touched = new Set<string>()
  await inTurns(keys, deps.breathe, (key) => {
    for (const each of take(state, key, { wanted: desired(snapshot(deps.source, key, node)), node })) touched.add(each)
  })
  await inTurns(touched, deps.breathe, (key) => grant(state, key))
  const difference = full
    ? { set: [...state.granted.values()], delete: [] }
    : diff(state.carried, state.granted, { keys: touched, unsure: state.unsure })
  const change = { full, ...difference, node }
  await send(state, change)
  // Clients may have been earlier than this process.
  if (full) await deps.flows?.afterRepair(state.carried, node)
  const problems = await deps.health.sync(change.set, change.delete, node)
  for (const { namespace, name, message } of problems) {
    deps.tell({ namespace, name }, { type: 'Warning', reason: 'FailedToStartServiceHealthcheck', message })
  }
  return { full, services: keys.size, set: change.set, deleted: change.delete }
}

/** So many Services are computed in a few milliseconds. */
const BATCH = 64

const inTurns = async (keys: ReadonlySet<string>, breathe: () => Promise<void>, act: (key: string) => void): Promise<void> => {
  let count = 0
  for (const key of keys) {
    if (count++ % BATCH === BATCH - 1) await breathe()
    act(key)
  }
}

/** Takes what a Service wants into the books; gives the keys of all Forwardings that this touches. */
const take = (
  state: State,
  service: string,
  { wanted, node: { nodePortAddresses } }: { readonly wanted: Desired; readonly node: NodeView },
): ReadonlySet<string> => {
  const known = state.services.get(service)
  const keys = wanted.forwardings.map(({ key }) => key)
  const touched = new Set([...keys, ...(known?.keys ?? [])])
  for (const key of [...touched]) {
    const forwarding = wanted.forwardings.find((each) => each.key === key)
    if (forwarding === undefined) state.asked.delete(key)
    else state.asked.set(key, forwarding)
    const claim = forwarding && { createdAt: wanted.createdAt, forwarding, nodePortAddresses }
    for (const other of state.claims.update(key, claim)) touched.add(other)
  }
  const told = tellProblems(state, service, wanted, known?.told ?? '')
  if (keys.length === 0) state.services.delete(service)
  else state.services.set(service, { keys, told })
  return touched
}

const tellProblems = ({ deps }: State, service: string, { problems }: Desired, before: string): string => {
  const message = problems.map(({ path, value, reason }) => `${path} ${JSON.stringify(value)}: ${reason}`).join('; ')
  if (message !== '' && message !== before) {
    const [namespace = '', name = ''] = service.split('/')
    deps.tell({ namespace, name }, { type: 'Warning', reason: 'ServiceProxyIgnoredField', message })
  }
  return message
}

const grant = (state: State, key: string): void => {
  const asked = state.asked.get(key)
  if (asked === undefined) {
    state.granted.delete(key)
    state.noLocal.delete(key)
    return
  }
  const { forwarding, lost } = state.claims.grant(asked)
  state.granted.set(key, forwarding)
  countNoLocal(state, forwarding)
  if (lost.length === 0) return
  const message = lost.map(({ id, holder }) => `${id} belongs to the older ${holder}`).join('; ')
  state.deps.tell(forwarding, { type: 'Warning', reason: 'FrontendConflict', message })
}

const countNoLocal = (state: State, { key, ports }: Forwarding): void => {
  const count = (why: string): number =>
    ports.filter(
      ({ frontends, local, cluster }) =>
        local.length === 0 && cluster.length > 0 && frontends.some(({ routes }) => routes.outside.why === why),
    ).length
  const counts = { internal: count('InternalPolicyLocal'), external: count('ExternalPolicyLocal') }
  if (counts.internal + counts.external === 0) state.noLocal.delete(key)
  else state.noLocal.set(key, counts)
}

const send = async (state: State, change: Change): Promise<void> => {
  const { backend, flows } = state.deps
  const keys = [...change.set.map(({ key }) => key), ...change.delete]
  const node = JSON.stringify(change.node)
  if (change.full || keys.length > 0 || node !== state.toldNode) {
    try {
      await backend.sync(change)
    } catch (error) {
      for (const key of keys) state.unsure.add(key)
      flows?.afterFailure(change)
      throw error
    }
    // Only now do the rules send nothing to endpoints that are gone.
    await flows?.afterSync(state.carried, change)
  }
  state.toldNode = node
  state.hasSynced = true
  for (const key of keys) state.unsure.delete(key)
  for (const key of change.delete) state.carried.delete(key)
  for (const forwarding of change.set) state.carried.set(forwarding.key, forwarding)
}

/** The Event of a frontend's transition; nothing for those that need none. */
export const statusEvent = (status: FrontendStatus): EventText | undefined => {
  switch (status.state) {
    case 'failed':
      return {
        type: 'Warning',
        reason: BIND_ERRORS.has(status.code) ? 'FailedToListen' : 'FailedToProgram',
        message: status.message,
      }
    case 'substituted':
      return { type: 'Warning', reason: 'SubstitutePort', message: status.message }
    case 'serving':
    case 'gone':
      return undefined
    default:
      return status satisfies never
  }
}

/** What bind(2) says of an address or of this process; all else is what a kernel refused of its rules. */
const BIND_ERRORS = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EMFILE', 'ENFILE'])
