import type { Clock } from '../../../base/index.ts'
import { after } from './after.ts'
import { apply } from './apply.ts'
import { type CloudApi, isCloudError } from './client/index.ts'
import { diff, drainKey, type Observed, placeOf } from './diff.ts'
import type { Operation } from './operation.ts'
import type { Plan } from './plan.ts'

export interface ConvergeDeps {
  readonly api: CloudApi
  readonly clock: Clock
  readonly drainMs: number
}

export interface ConvergeInput {
  readonly observed: Observed
  /** The plan for what is there: conflicts with listeners that are not ours depend on it. */
  readonly planFor: (observed: Observed) => Plan
  /** Since when targets have had weight 0. */
  readonly zeroSince: ReadonlyMap<string, number>
}

export interface Converged {
  readonly observed: Observed
  readonly plan: Plan
  readonly zeroSince: ReadonlyMap<string, number>
  readonly operations: readonly Operation[]
  /** Why listeners, by `placeOf`, could not have what they are to have. */
  readonly failures: ReadonlyMap<string, string>
  /** Attributes of the whole that could not be set. */
  readonly refusals: readonly string[]
  readonly waitMs: number | undefined
}

/** More than any plan needs; a cloud that undoes what is done must not keep us for ever. */
const MAX_ROUNDS = 12

/** Brings a load balancer to its plan. What one listener cannot have is told, and keeps no other back. Rejects with `CloudError` for what concerns all. */
export const converge = async (deps: ConvergeDeps, input: ConvergeInput, signal: AbortSignal): Promise<Converged> => {
  let observed = input.observed
  let zeroSince = zeroTargets(observed, input.zeroSince, deps.clock.monotonic())
  const failures = new Map<string, string>()
  const refusals: string[] = []
  const operations: Operation[] = []
  for (let round = 0; ; round++) {
    const plan = withoutAttributes(input.planFor(observed), refusals.length > 0)
    const blocked = new Set(failures.keys())
    const next = diff({ observed, plan, blocked, zeroSince, now: deps.clock.monotonic(), drainMs: deps.drainMs })
    if (next.operations.length === 0 || round === MAX_ROUNDS)
      return { observed, plan, zeroSince, operations, failures, refusals, waitMs: next.waitMs }
    for (const operation of next.operations) {
      const step = await take(deps, { observed, operation }, signal)
      observed = step.observed
      zeroSince = zeroTargets(observed, zeroSince, deps.clock.monotonic())
      operations.push(operation)
      for (const [place, reason] of step.failures) failures.set(place, reason)
      refusals.push(...step.refusals)
      // What follows was decided for a step that went well.
      if (step.failures.size > 0 || step.refusals.length > 0) break
    }
  }
}

const withoutAttributes = (plan: Plan, areRefused: boolean): Plan => (areRefused ? { ...plan, attributes: {} } : plan)

/** Of targets with weight 0, since when: as known, or since now. */
const zeroTargets = (observed: Observed, known: ReadonlyMap<string, number>, now: number): ReadonlyMap<string, number> => {
  const keys = observed.listeners.flatMap(({ id: listenerId, targets, rules }) => [
    ...targets.filter(({ weight }) => weight === 0).map((target) => drainKey({ listenerId }, target)),
    ...rules.flatMap((rule) =>
      rule.targets.filter(({ weight }) => weight === 0).map((target) => drainKey({ listenerId, locationId: rule.id }, target)),
    ),
  ])
  return new Map(keys.map((key) => [key, known.get(key) ?? now]))
}

interface Step {
  readonly observed: Observed
  readonly failures: ReadonlyMap<string, string>
  readonly refusals: readonly string[]
}

const take = async (
  deps: ConvergeDeps,
  { observed, operation }: { readonly observed: Observed; readonly operation: Operation },
  signal: AbortSignal,
): Promise<Step> => {
  try {
    const { ids, failures } = await apply(deps.api, observed.info.id, operation, signal)
    const places = new Map(observed.listeners.map((listener) => [listener.id, placeOf(listener)]))
    const failed = new Map([...failures].map(([id, reason]) => [places.get(id) ?? id, reason]))
    return { observed: after(observed, withoutFailed(operation, failures), ids), failures: failed, refusals: [] }
  } catch (error) {
    if (!isCloudError(error, 'refused', 'quota', 'failed')) throw error
    const parts = apart(operation)
    if (parts.length > 1) return takeEach(deps, { observed, parts }, signal)
    const places = placesOf(observed, operation)
    if (places.length > 0) return { observed, failures: new Map(places.map((place) => [place, error.message])), refusals: [] }
    return { observed, failures: new Map(), refusals: [error.message] }
  }
}

const takeEach = async (
  deps: ConvergeDeps,
  { observed, parts }: { readonly observed: Observed; readonly parts: readonly Operation[] },
  signal: AbortSignal,
): Promise<Step> => {
  let current = observed
  const failures = new Map<string, string>()
  for (const operation of parts) {
    const step = await take(deps, { observed: current, operation }, signal)
    current = step.observed
    for (const [place, reason] of step.failures) failures.set(place, reason)
  }
  return { observed: current, failures, refusals: [] }
}

/** One operation for each listener, to find out which of them is refused. */
const apart = (operation: Operation): readonly Operation[] => {
  switch (operation.kind) {
    case 'create-listeners':
      return operation.listeners.map((listener) => ({ ...operation, listeners: [listener] }))
    case 'delete-listeners':
      return operation.ids.map((id) => ({ ...operation, ids: [id] }))
    case 'register':
    case 'weigh':
    case 'deregister': {
      const listeners = [...new Set(operation.targets.map(({ listenerId }) => listenerId))]
      return listeners.map((id) => ({ ...operation, targets: operation.targets.filter(({ listenerId }) => listenerId === id) }))
    }
    default:
      return [operation]
  }
}

const placesOf = ({ listeners }: Observed, operation: Operation): readonly string[] => {
  if (operation.kind === 'create-listeners') return operation.listeners.map(placeOf)
  const ids = idsOf(operation)
  return listeners.filter(({ id }) => ids.includes(id)).map(placeOf)
}

const idsOf = (operation: Operation): readonly string[] => {
  if ('listenerId' in operation) return [operation.listenerId]
  if ('targets' in operation) return operation.targets.map(({ listenerId }) => listenerId)
  return operation.kind === 'delete-listeners' ? operation.ids : []
}

const withoutFailed = (operation: Operation, failures: ReadonlyMap<string, string>): Operation =>
  'targets' in operation && failures.size > 0
    ? { ...operation, targets: operation.targets.filter(({ listenerId }) => !failures.has(listenerId)) }
    : operation
