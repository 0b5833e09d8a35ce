import { CloudError, duplicate, missing, overQuota } from '../errors.ts'
import { instanceOf } from '../inventory.ts'
import { isLayer7, type Listener, type LoadBalancer, type Rule, type Target } from '../model.ts'
import { list, type Of, oneOf, optional, record, text, whole } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, type Context, doneAtOnce, type Outcome, replaceListener, startTask, unlocked } from './action.ts'
import { listenerOf } from './listeners.ts'
import { ruleNamed } from './rules.ts'

const DEFAULT_WEIGHT = 10
const weight = whole(0, 100)
const address = text({ max: 40, pattern: /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]+)$/ })
const instanceId = text({ max: 64, pattern: /^(ins|eks|eklet|kn)-[A-Za-z0-9-]+$/ })

const target = {
  Port: whole(1, 65_535),
  InstanceId: optional(instanceId),
  EniIp: optional(address),
  Weight: optional(weight),
  Tag: optional(text({ min: 0, max: 80 })),
}
const single = record({ ...target, Type: optional(oneOf('CVM', 'ENI', 'EVM')) })
const inBatch = record({ ...target, ListenerId: text(), LocationId: optional(text()) })

/** Which targets: those of a listener, or of one of its rules. */
const place = { ListenerId: text(), LocationId: optional(text()), Domain: optional(text()), Url: optional(text()) }
const some = record({ LoadBalancerId: text(), ...place, Targets: list(single, 1, 20) })
const many = record({ LoadBalancerId: text(), Targets: list(inBatch, 1, 500) })

type Given = Of<typeof single>
type Some = Of<typeof some>
type Many = Of<typeof many>

/** One change of one group's targets. */
type Edit = (before: readonly Target[], given: Given, context: Context) => readonly Target[]

const isSame = (one: Target, given: Given): boolean => one.port === given.Port && one.id === (given.InstanceId ?? given.EniIp)

const checkIdentity = ({ InstanceId, EniIp }: Given): void => {
  if (InstanceId === undefined && EniIp === undefined) throw missing('Targets.InstanceId')
  if (InstanceId !== undefined && EniIp !== undefined)
    throw new CloudError('InvalidParameter', '`InstanceId` and `EniIp` exclude each other.')
}

/** Registering what is registered sets its weight: a client that lost the answer may repeat. */
const register: Edit = (before, given, context) => {
  checkIdentity(given)
  const known = before.find((one) => isSame(one, given))
  if (known !== undefined) return before.map((one) => (one === known ? { ...one, weight: given.Weight ?? one.weight } : one))
  return [...before, newTarget(given, context)]
}

const newTarget = (given: Given, { inventory, now }: Context): Target => {
  const common = {
    port: given.Port,
    weight: given.Weight ?? DEFAULT_WEIGHT,
    registeredAt: now,
    ...(given.Tag !== undefined && { tag: given.Tag }),
  }
  if (given.InstanceId === undefined) return { kind: 'ENI', id: given.EniIp ?? '', address: given.EniIp ?? '', ...common }
  const instance = instanceOf(inventory, given.InstanceId)
  if (instance === undefined) throw new CloudError('InvalidParameter', `The instance ${given.InstanceId} does not exist.`)
  return { kind: 'CVM', id: instance.id, address: instance.address, ...common }
}

/** What is not registered need not be deregistered. */
const deregister: Edit = (before, given) => {
  checkIdentity(given)
  return before.filter((one) => !isSame(one, given))
}

const reweigh: Edit = (before, given) => {
  checkIdentity(given)
  if (!before.some((one) => isSame(one, given)))
    throw new CloudError('InvalidParameter', `The target ${given.InstanceId ?? given.EniIp}:${given.Port} is not registered.`)
  return before.map((one) => (isSame(one, given) ? { ...one, weight: given.Weight ?? one.weight } : one))
}

interface Place {
  readonly ListenerId: string
  readonly LocationId?: string
  readonly Domain?: string
  readonly Url?: string
}

const edited = (
  loadBalancer: LoadBalancer,
  at: Place,
  { given, edit, context }: { readonly given: readonly Given[]; readonly edit: Edit; readonly context: Context },
): LoadBalancer => {
  const listener = listenerOf(loadBalancer, at.ListenerId)
  const apply = (before: readonly Target[]): readonly Target[] =>
    given.reduce((targets, one) => edit(targets, one, context), before)
  const after = isLayer7(listener.protocol) ? withRule(listener, at, apply) : withTargets(listener, at, apply)
  const next = replaceListener(loadBalancer, after)
  checkLimits(next, after, context)
  return next
}

const withTargets = (listener: Listener, at: Place, apply: (before: readonly Target[]) => readonly Target[]): Listener => {
  if (at.LocationId !== undefined || at.Domain !== undefined)
    throw new CloudError(
      'InvalidParameter.ProtocolCheckFailed',
      `Listener ${listener.id} is ${listener.protocol}: it has no rules.`,
    )
  return { ...listener, targets: apply(listener.targets) }
}

const withRule = (listener: Listener, at: Place, apply: (before: readonly Target[]) => readonly Target[]): Listener => {
  const rule = ruleNamed(listener, at)
  const after: Rule = { ...rule, targets: apply(rule.targets) }
  return { ...listener, rules: listener.rules.map((one) => (one.id === rule.id ? after : one)) }
}

const checkLimits = (loadBalancer: LoadBalancer, changed: Listener, { quotas }: Context): void => {
  const quota = quotas.TOTAL_TARGET_BIND_QUOTA
  for (const group of isLayer7(changed.protocol) ? changed.rules : [changed]) {
    if (group.targets.length > quota) throw overQuota(`The quota TOTAL_TARGET_BIND_QUOTA of ${quota} is used up on ${group.id}.`)
    const rewritten = 'rewrite' in group && group.rewrite !== undefined && group.targets.length > 0
    if (rewritten) throw new CloudError('FailedOperation', `Location ${group.id} has a rewrite: it takes no targets.`)
  }
  if (!isLayer7(changed.protocol)) checkTuples(loadBalancer, changed)
}

/** Layer 4 keeps the client's address, so (VIP, protocol, address, port) may lead to one listener only. */
const checkTuples = ({ listeners }: LoadBalancer, changed: Listener): void => {
  const mine = new Set(changed.targets.map(({ address, port }) => `${address} ${port}`))
  for (const other of listeners) {
    if (other.id === changed.id || isLayer7(other.protocol) || (other.protocol === 'UDP') !== (changed.protocol === 'UDP'))
      continue
    const shared = other.targets.find(({ address, port }) => mine.has(`${address} ${port}`))
    if (shared !== undefined)
      throw duplicate(`The target ${shared.address}:${shared.port} is bound to listener ${other.id} of the same protocol.`)
  }
}

const someOf =
  (name: string, edit: Edit) =>
  (state: State, request: Some, context: Context): Outcome => {
    const before = unlocked(state, request.LoadBalancerId)
    const after = edited(before, request, { given: request.Targets, edit, context })
    return startTask(context, { action: name, outcome: { [before.id]: after } })
  }

/** A batch is done when it is answered; listeners that cannot have theirs are named in an answer that is otherwise a success. */
const manyOf =
  (name: string, edit: Edit) =>
  (state: State, request: Many, context: Context): Outcome => {
    const before = unlocked(state, request.LoadBalancerId)
    const failures = new Map<string, string>()
    let after = before
    for (const [listenerId, given] of groupedByListener(request.Targets)) {
      listenerOf(before, listenerId)
      if (failures.size < context.failingListeners) {
        failures.set(listenerId, 'a fault was asked for')
        continue
      }
      try {
        after = given.reduce(
          (loadBalancer, one) => edited(loadBalancer, one, { given: [withoutPlace(one)], edit, context }),
          after,
        )
      } catch (error) {
        if (!(error instanceof CloudError)) throw error
        failures.set(listenerId, error.message)
      }
    }
    const response = {
      FailListenerIdSet: [...failures.keys()],
      Message: [...failures].map(([id, reason]) => `${id}: ${reason}`).join('; '),
    }
    const events = after === before ? [] : [{ loadBalancer: before.id, to: after }]
    return doneAtOnce(context, { action: name, loadBalancerIds: [before.id], events }, response)
  }

const groupedByListener = (targets: Many['Targets']): ReadonlyMap<string, Many['Targets']> => {
  const groups = new Map<string, Many['Targets'][number][]>()
  for (const one of targets) groups.set(one.ListenerId, [...(groups.get(one.ListenerId) ?? []), one])
  return groups
}

const withoutPlace = ({ ListenerId: _, LocationId: __, ...given }: Many['Targets'][number]): Given => given

const weights = record({ LoadBalancerId: text(), ...place, Targets: list(single, 1, 20), Weight: optional(weight) })

/** A target's own weight wins over that of the request. */
const withWeight = (targets: readonly Given[], outer: number | undefined): readonly Given[] =>
  targets.map((one, index) => {
    const given = one.Weight ?? outer
    if (given === undefined) throw missing(`Targets.${index}.Weight`)
    return { ...one, Weight: given }
  })

const modifyWeight = (state: State, request: Of<typeof weights>, context: Context): Outcome => {
  const before = unlocked(state, request.LoadBalancerId)
  const after = edited(before, request, { given: withWeight(request.Targets, request.Weight), edit: reweigh, context })
  return startTask(context, { action: 'ModifyTargetWeight', outcome: { [before.id]: after } })
}

const manyWeights = record({
  LoadBalancerId: text(),
  ModifyList: list(record({ ...place, Targets: list(single, 1, 50), Weight: optional(weight) }), 1, 100),
})
const MAX_TARGETS = 500

const modifyWeights = (state: State, { LoadBalancerId, ModifyList }: Of<typeof manyWeights>, context: Context): Outcome => {
  const before = unlocked(state, LoadBalancerId)
  const count = ModifyList.reduce((sum, { Targets }) => sum + Targets.length, 0)
  if (count > MAX_TARGETS)
    throw new CloudError('InvalidParameterValue.Length', `The request has ${count} targets, at most ${MAX_TARGETS} are allowed.`)
  const after = ModifyList.reduce(
    (loadBalancer, one) => edited(loadBalancer, one, { given: withWeight(one.Targets, one.Weight), edit: reweigh, context }),
    before,
  )
  return startTask(context, { action: 'BatchModifyTargetWeight', outcome: { [before.id]: after } })
}

export const targetActions: Readonly<Record<string, Action>> = {
  RegisterTargets: action(some, someOf('RegisterTargets', register)),
  DeregisterTargets: action(some, someOf('DeregisterTargets', deregister)),
  BatchRegisterTargets: action(many, manyOf('BatchRegisterTargets', register)),
  BatchDeregisterTargets: action(many, manyOf('BatchDeregisterTargets', deregister)),
  ModifyTargetWeight: action(weights, modifyWeight),
  BatchModifyTargetWeight: action(manyWeights, modifyWeights),
}
