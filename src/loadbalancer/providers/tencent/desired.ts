import type { TkeServiceConfig } from '../../../api/index.ts'
import type { Problem } from '../../provider.ts'
import { type Conflict, planListeners } from './desired-listeners.ts'
import { listenerName } from './marks.ts'
import type { OwnerView } from './owner-view.ts'
import type { Plan, PlannedAttributes } from './plan.ts'
import type { Lookups, PlanInput } from './plan-input.ts'

/** Pure: what a load balancer is to be, with a reason for everything that it is not. */
export const plan = (input: PlanInput): Plan => {
  const { views, present } = input
  const wanted = views.filter(({ owner }) => owner.state === 'wanted')
  const frozen = new Set(views.filter(({ isFrozen }) => isFrozen).map(({ owner }) => listenerName(owner.uid)))
  const managedNames = new Set(views.map(({ owner }) => listenerName(owner.uid)).filter((name) => !frozen.has(name)))
  const foreign = present.filter(({ name }) => !managedNames.has(name))
  const active = wanted.filter(({ isFrozen }) => !isFrozen)
  const { listeners, conflicts } = planListeners(active, { ...input, foreign })
  return {
    listeners,
    managedNames,
    attributes: attributesOf(active, input),
    problems: new Map(views.map((view) => [view.owner.uid, problemsOf(view, conflicts)])),
    portErrors: new Map(wanted.map(({ owner: { uid } }) => [uid, errorsOf(uid, conflicts)])),
  }
}

const problemsOf = ({ owner, problems }: OwnerView, conflicts: readonly Conflict[]): readonly Problem[] => {
  const own = conflicts.filter(({ ownerUid }) => ownerUid === owner.uid)
  const all = [...problems, ...own.map(({ reason, message }) => ({ reason, message }))]
  return all.filter((each, index) => all.findIndex(({ message }) => message === each.message) === index)
}

const errorsOf = (uid: string, conflicts: readonly Conflict[]): ReadonlyMap<string, string> =>
  new Map(
    conflicts.flatMap(({ ownerUid, servicePort, reason }) =>
      ownerUid === uid && servicePort !== undefined ? [[servicePort, reason]] : [],
    ),
  )

/** The oldest that says something of an attribute decides. */
const attributesOf = (views: readonly OwnerView[], { lookups, isOwn }: PlanInput): PlannedAttributes => {
  const first = <T>(read: (view: OwnerView) => T | undefined): T | undefined =>
    views.map(read).find((value) => value !== undefined)
  const passToTarget = first(({ settings }) => settings.passToTarget)
  const securityGroups = first(({ settings }) => settings.securityGroups)
  const bandwidth = isOwn ? first((view) => configOf(view, lookups)?.spec.loadBalancer?.internetMaxBandwidthOut) : undefined
  return {
    ...(passToTarget !== undefined && { passToTarget }),
    ...(securityGroups !== undefined && { securityGroups }),
    ...(bandwidth !== undefined && { bandwidth }),
  }
}

const configOf = ({ owner, settings }: OwnerView, { configs }: Lookups): TkeServiceConfig | undefined =>
  settings.config === undefined ? undefined : configs.get(`${owner.namespace}/${settings.config}`)
