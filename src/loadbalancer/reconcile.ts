import { randomUUID } from 'node:crypto'
import { isConflict, type Service } from '../api/index.ts'
import { type Clock, errorMessage } from '../base/index.ts'
import { again, DONE, type Outcome as QueueOutcome } from '../informers/index.ts'
import { desiredLoadBalancer } from './desired.ts'
import { isLoadBalancerError } from './errors.ts'
import { type Essence, essenceOf, sameEssence } from './essence.ts'
import type { LoadBalancerEvents } from './events.ts'
import { type Memory, SLOWEST_MS } from './memory.ts'
import type { LoadBalancerMetrics } from './metrics.ts'
import type { DesiredLoadBalancer, LoadBalancerKey, Notes, Outcome, Placement, Problem } from './provider.ts'
import type { ServiceWriter } from './service-writer.ts'
import { settle, settleRefused, timestamp } from './settle.ts'
import { type Member, type Members, readMembers, readNodes, readOwner, type SnapshotSources } from './snapshot.ts'
import { nextStatus } from './status.ts'

export interface ReconcileDeps extends SnapshotSources {
  readonly services: ServiceWriter
  readonly clusterId: string
  readonly events: LoadBalancerEvents
  readonly metrics: LoadBalancerMetrics
  /** How long until everything is read anew; spread by a fifth. */
  readonly fullLookMs: number
  readonly clock: Clock
  readonly random: () => number
}

const AFTER_CONFLICT_MS = 100

/** Brings one load balancer to what its Services want. Never rejects but for what is a bug or the end. */
export const reconcileKey = async (
  deps: ReconcileDeps,
  { key, memory }: { readonly key: LoadBalancerKey; readonly memory: Memory },
  signal: AbortSignal,
): Promise<QueueOutcome> => {
  if (signal.aborted) return DONE
  let members = readMembers(deps, key)
  tellHeld(deps, members)
  try {
    for (const { service, membership } of members.refused) await settleRefused(deps, service, membership.problems)
    if (members.staying.length + members.joining.length + members.leaving.length === 0) return DONE
    members = await place(deps, key, members)
    await callAndSettle(deps, { key, memory, members }, signal)
    return nextLook(deps.clock, memory)
  } catch (error) {
    if (signal.aborted) return DONE
    // The cache is behind, or somebody else wrote: the next round has the newer object.
    if (isConflict(error)) return again(AFTER_CONFLICT_MS)
    return afterFailure(deps, { memory, members, key }, error)
  }
}

const nextLook = (clock: Clock, { callAt, fullLookAt }: Memory): QueueOutcome => {
  const at = Math.min(callAt ?? Number.POSITIVE_INFINITY, fullLookAt ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(at) ? again(Math.max(1, at - clock.monotonic())) : DONE
}

/** Every owner has the finalizer and the same token before the first call that knows of it. */
const place = async ({ provider, services }: ReconcileDeps, key: LoadBalancerKey, members: Members): Promise<Members> => {
  const token = tokenOf(members) ?? randomUUID()
  const placement: Placement = { provider: provider.name, key, token }
  const staying: Member[] = []
  for (const member of [...members.staying, ...members.joining]) {
    const service = await services.place(member.service, placement)
    staying.push({ service, membership: { ...member.membership, wants: key, holds: placement } })
  }
  return { ...members, staying, joining: [] }
}

const tokenOf = ({ staying, leaving }: Members): string | undefined =>
  [...staying, ...leaving]
    .sort((a, b) => compare(ageOf(a.service), ageOf(b.service)))
    .map(({ membership }) => membership.holds?.token)
    .find((token) => token !== undefined && token !== '')

const ageOf = ({ metadata }: Service): string => `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

interface Round {
  readonly key: LoadBalancerKey
  readonly memory: Memory
  readonly members: Members
}

const callAndSettle = async (deps: ReconcileDeps, { key, memory, members }: Round, signal: AbortSignal): Promise<void> => {
  const desired = desiredOf(deps, key, members)
  const essence = essenceOf(desired)
  const reason = reasonToCall(memory, essence, deps.clock.monotonic())
  if (reason !== undefined) {
    tellBefore(deps, { memory, members, desired, essence })
    memory.essence = essence
    memory.isWoken = false
    const written = new Map<string, Readonly<Record<string, string | null>>>()
    const look = reason === 'full' || memory.isUncertain ? 'full' : 'changed'
    const outcome = await call(deps, { desired, look, written }, signal)
    remember(deps, memory, { desired, outcome, written, look })
  }
  if (memory.outcome !== undefined) await settle(deps, { key, memory, members, outcome: memory.outcome })
}

const reasonToCall = (memory: Memory, essence: Essence, now: number): 'full' | 'changed' | undefined => {
  if (memory.essence === undefined || now >= (memory.fullLookAt ?? Number.POSITIVE_INFINITY)) return 'full'
  if (memory.isWoken || now >= (memory.callAt ?? Number.POSITIVE_INFINITY)) return 'changed'
  return sameEssence(memory.essence, essence) ? undefined : 'changed'
}

const desiredOf = (deps: ReconcileDeps, key: LoadBalancerKey, members: Members): DesiredLoadBalancer =>
  desiredLoadBalancer({
    key,
    token: tokenOf(members) ?? '',
    clusterId: deps.clusterId,
    owners: [
      ...members.staying.map(({ service }) => readOwner(deps, service, 'wanted')),
      ...members.leaving.map(({ service }) => readOwner(deps, service, 'leaving')),
    ],
    nodes: readNodes(deps),
  })

interface BeforeCall {
  readonly memory: Memory
  readonly members: Members
  readonly desired: DesiredLoadBalancer
  readonly essence: Essence
}

/** After a restart, a Service that has its address is looked after in silence. */
const tellBefore = ({ events, provider }: ReconcileDeps, { memory, members, desired, essence }: BeforeCall): void => {
  const isFirst = memory.essence === undefined
  const isNewIntent = memory.essence?.intent !== essence.intent
  for (const { service } of members.staying) {
    const isServed = (service.status?.loadBalancer?.ingress ?? []).length > 0
    if (isFirst && isServed) memory.toldIntent = essence.intent
    else if (isNewIntent && memory.toldIntent !== essence.intent) events.ensuring(service)
    else if (memory.essence !== undefined && memory.essence.nodes !== essence.nodes) events.updated(service)
    if (isNewIntent && provider.supports.has('Nodes') && desired.nodes.length === 0) events.unavailable(service)
  }
  if (isFirst || isNewIntent) for (const { service } of members.leaving) events.deleting(service)
}

interface CallInput {
  readonly desired: DesiredLoadBalancer
  readonly look: 'full' | 'changed'
  /** Filled with what the provider wrote on Services during the call. */
  readonly written: Map<string, Readonly<Record<string, string | null>>>
}

const call = async (deps: ReconcileDeps, { desired, look, written }: CallInput, signal: AbortSignal): Promise<Outcome> => {
  const { provider, metrics, clock } = deps
  const isRemoval = desired.owners.every(({ state }) => state === 'leaving')
  const action = isRemoval ? 'remove' : 'ensure'
  const startedAt = clock.monotonic()
  const labels = { provider: provider.name, action }
  try {
    const outcome = await provider[action](desired, { look, notes: notesFor(deps, desired, written), signal })
    metrics.calls.inc({ ...labels, result: 'success' })
    return outcome
  } catch (error) {
    metrics.calls.inc({ ...labels, result: isLoadBalancerError(error) ? error.failure : 'error' })
    if (isRemoval && isLoadBalancerError(error, 'gone')) return released(desired)
    throw error
  } finally {
    metrics.callDuration.observe(labels, (clock.monotonic() - startedAt) / 1_000)
  }
}

/** What is gone is taken away. */
const released = ({ owners }: DesiredLoadBalancer): Outcome => ({
  services: new Map(owners.map(({ uid }) => [uid, { ingress: [], problems: [], isReleased: true }])),
})

const notesFor = ({ services }: ReconcileDeps, { owners }: DesiredLoadBalancer, written: CallInput['written']): Notes => ({
  async write(uid, annotations) {
    const owner = owners.find((each) => each.uid === uid)
    const service = owner === undefined ? undefined : services.get(owner.namespace, owner.name)
    if (service === undefined || service.metadata.uid !== uid) throw new Error(`no Service of uid ${uid} to write on`)
    await services.annotate(service, annotations)
    written.set(uid, { ...written.get(uid), ...annotations })
  },
})

interface CallResult {
  readonly desired: DesiredLoadBalancer
  readonly outcome: Outcome
  readonly written: CallInput['written']
  readonly look: CallInput['look']
}

/** The annotations that are written for the provider are no news to it. */
const remember = ({ clock, fullLookMs, random }: ReconcileDeps, memory: Memory, result: CallResult): void => {
  const { desired, outcome, written, look } = result
  const owners = desired.owners.map((owner) => ({
    ...owner,
    annotations: withChanges(owner.annotations, { ...written.get(owner.uid), ...outcome.services.get(owner.uid)?.annotations }),
  }))
  memory.essence = essenceOf({ ...desired, owners })
  memory.outcome = outcome
  memory.isUncertain = false
  memory.isNewLife = false
  memory.backoff.reset()
  const now = clock.monotonic()
  if (outcome.againAfterMs === undefined) delete memory.callAt
  else memory.callAt = now + outcome.againAfterMs
  if (look === 'full') memory.fullLookAt = now + fullLookMs * (0.8 + 0.4 * random())
}

const withChanges = (
  annotations: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries({ ...annotations, ...changes }).filter((entry): entry is [string, string] => entry[1] !== null),
  )

const afterFailure = async (deps: ReconcileDeps, { memory, members, key }: Round, error: unknown): Promise<QueueOutcome> => {
  const { events, services, provider, clock } = deps
  memory.isUncertain = true
  // What was there is gone: a new life, which must not be taken for the old one.
  if (isLoadBalancerError(error, 'gone') && !memory.isNewLife) {
    memory.isNewLife = true
    const placement = { provider: provider.name, key, token: randomUUID() }
    for (const { service } of [...members.staying, ...members.leaving]) await services.place(service, placement)
    return again(AFTER_CONFLICT_MS)
  }
  const { reason, retryAfterMs } = isLoadBalancerError(error) ? error : { reason: undefined, retryAfterMs: undefined }
  const isUsers = isLoadBalancerError(error, 'refused') || isLoadBalancerError(error, 'quota')
  const delayMs = retryAfterMs ?? (isUsers ? SLOWEST_MS : memory.backoff.next())
  memory.callAt = clock.monotonic() + delayMs
  for (const { service } of [...members.staying, ...members.leaving]) events.failed(service, errorMessage(error), reason)
  await writeFailure(deps, members, { reason: reason ?? 'SyncLoadBalancerFailed', message: errorMessage(error) })
  return again(delayMs)
}

/** So that people see why it is pending; what is served already stays. */
const writeFailure = async ({ services, clock }: ReconcileDeps, { staying }: Members, problem: Problem): Promise<void> => {
  for (const { service } of staying) {
    const present = services.get(service.metadata.namespace ?? '', service.metadata.name)
    if (present === undefined || present.metadata.uid !== service.metadata.uid) continue
    const ingress = present.status?.loadBalancer?.ingress ?? []
    const status = nextStatus(present.status, { ingress, problems: [problem], now: timestamp(clock) })
    // The next round says it again.
    if (status !== undefined) await services.setStatus(present, status).catch(() => undefined)
  }
}

const tellHeld = ({ events }: ReconcileDeps, { heldByOthers }: Members): void => {
  for (const { service, membership } of heldByOthers) {
    events.problem(service, {
      reason: 'HeldByOtherProvider',
      message: `its load balancer was made by the provider ${membership.heldByOther}, which has to take it away first: make the type ClusterIP, then LoadBalancer again`,
    })
  }
}
