import type { ListenerInfo, LoadBalancerInfo, PlacedTarget, RuleInfo, TargetInfo } from './client/index.ts'
import { changesOfSettings } from './diff-settings.ts'
import type { Operation } from './operation.ts'
import { isLayer7, type Plan, type PlannedGroup, type PlannedListener, targetKey, transportOf } from './plan.ts'

/** A load balancer as it is. */
export interface Observed {
  readonly info: LoadBalancerInfo
  readonly listeners: readonly ListenerInfo[]
}

export interface DiffInput {
  readonly observed: Observed
  readonly plan: Plan
  /** Listeners, by `placeOf`, that nothing is to be done about now. */
  readonly blocked: ReadonlySet<string>
  /** Since when targets, by `drainKey`, have had weight 0; milliseconds on the clock of `now`. */
  readonly zeroSince: ReadonlyMap<string, number>
  readonly now: number
  readonly drainMs: number
}

export interface Diff {
  /** In this order. More may follow when they are done. */
  readonly operations: readonly Operation[]
  /** Until the next target may go; undefined when none waits. */
  readonly waitMs: number | undefined
}

/** Where a listener is: one port has one listener of each transport. */
export const placeOf = ({ protocol, port }: Pick<ListenerInfo, 'protocol' | 'port'>): string => `${transportOf(protocol)} ${port}`

export const drainKey = (
  place: Pick<PlacedTarget, 'listenerId' | 'locationId'>,
  target: Pick<TargetInfo, 'id' | 'port'>,
): string => `${place.listenerId} ${place.locationId ?? ''} ${targetKey(target)}`

/**
 * Pure: what brings `observed` nearer to `plan`, as little as possible. What adds comes first; what takes away, only when nothing is left to add, but for
 * listeners that stand in the way of new ones. Nothing that is not ours is named.
 */
export const diff = (input: DiffInput): Diff => {
  const pairs = pairUp(input)
  const additions = [...attributeOperations(input), ...makeWay(pairs), ...creations(pairs), ...pairs.paired.flatMap(changesOf)]
  const targets = pairs.paired.map((pair) => targetChanges(pair, input))
  const weighed = targets.flatMap(({ weigh }) => weigh)
  const registered = targets.flatMap(({ register }) => register)
  const adding = [
    ...additions,
    ...(registered.length > 0 ? [{ kind: 'register', targets: registered } as const] : []),
    ...(weighed.length > 0 ? [{ kind: 'weigh', targets: weighed } as const] : []),
  ]
  if (adding.length > 0) return { operations: adding, waitMs: undefined }
  const waits = targets.flatMap(({ waits: own }) => own)
  return { operations: removals(pairs, targets), waitMs: waits.length > 0 ? Math.min(...waits) : undefined }
}

interface Pair {
  readonly planned: PlannedListener
  readonly present: ListenerInfo
}

interface Pairs {
  readonly paired: readonly Pair[]
  readonly missing: readonly PlannedListener[]
  /** Ours, and not wanted. */
  readonly excess: readonly ListenerInfo[]
}

/** A port cannot change its protocol: that is another listener. */
const pairUp = ({ observed, plan, blocked }: DiffInput): Pairs => {
  const ours = observed.listeners.filter((each) => plan.managedNames.has(each.name) && !blocked.has(placeOf(each)))
  const find = ({ name, protocol, port }: PlannedListener): ListenerInfo | undefined =>
    ours.find((each) => each.name === name && each.protocol === protocol && each.port === port)
  const wanted = plan.listeners.filter((each) => !blocked.has(placeOf(each)))
  const paired = wanted.flatMap((planned) => {
    const present = find(planned)
    return present === undefined ? [] : [{ planned, present }]
  })
  const kept = new Set(paired.map(({ present }) => present.id))
  const missing = wanted.filter((planned) => find(planned) === undefined && isMakeable(planned))
  return { paired, missing, excess: ours.filter(({ id }) => !kept.has(id)) }
}

const isMakeable = ({ isHeld, isSni, certificates, groups }: PlannedListener): boolean =>
  !isHeld && certificates !== undefined && (!isSni || groups.every(({ rule }) => rule?.certificates !== undefined))

const attributeOperations = ({ observed: { info }, plan: { attributes } }: DiffInput): readonly Operation[] => {
  const { securityGroups, passToTarget, bandwidth } = attributes
  const changes = {
    ...(passToTarget !== undefined && passToTarget !== info.passToTarget && { passToTarget }),
    ...(bandwidth !== undefined && info.bandwidth !== undefined && bandwidth !== info.bandwidth && { bandwidth }),
  }
  const isSame = securityGroups === undefined || sameSet(securityGroups, info.securityGroups)
  return [
    ...(isSame ? [] : [{ kind: 'set-security-groups', groups: securityGroups } as const]),
    ...(Object.keys(changes).length > 0 ? [{ kind: 'modify-load-balancer', changes } as const] : []),
  ]
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each) => b.includes(each))

const makeWay = ({ excess, missing }: Pairs): readonly Operation[] => {
  const places = new Set(missing.map(placeOf))
  const ids = excess.filter((each) => places.has(placeOf(each))).map(({ id }) => id)
  return ids.length > 0 ? [{ kind: 'delete-listeners', ids }] : []
}

/** Listeners that differ in their port only are made together. */
const creations = ({ missing }: Pairs): readonly Operation[] => {
  const groups = new Map<string, PlannedListener[]>()
  for (const listener of missing) {
    const { protocol, isSni, certificates, settings } = listener
    const alike = JSON.stringify([protocol, isSni, certificates, settings])
    groups.set(alike, [...(groups.get(alike) ?? []), listener])
  }
  return [...groups.values()].map((listeners) => ({ kind: 'create-listeners', listeners }))
}

const changesOf = ({ planned, present }: Pair): readonly Operation[] =>
  isLayer7(planned.protocol) ? layer7Changes(planned, present) : layer4Changes(planned, present)

const layer4Changes = (planned: PlannedListener, present: ListenerInfo): readonly Operation[] => {
  const settings = changesOfSettings(present.settings, planned.settings)
  const certificates = newCertificates(planned.certificates, present.certificates)
  if (settings === undefined && certificates === undefined) return []
  const changes = { ...(settings && { settings }), ...(certificates && { certificates }) }
  return [{ kind: 'modify-listener', listenerId: present.id, changes }]
}

/** Certificates to set; none when they are there, or not known. */
const newCertificates = (wanted: readonly string[] | undefined, present: readonly string[]): readonly string[] | undefined =>
  wanted === undefined || wanted.length === 0 || sameSet(wanted, present) ? undefined : wanted

const layer7Changes = (planned: PlannedListener, present: ListenerInfo): readonly Operation[] => {
  // SNI cannot be turned off again.
  const isSni = present.isSni || planned.isSni
  const certificates = isSni ? undefined : newCertificates(planned.certificates, present.certificates)
  const turnsOn = planned.isSni && !present.isSni
  const listener: Operation = {
    kind: 'modify-listener',
    listenerId: present.id,
    changes: { ...(turnsOn && { isSni: true }), ...(certificates && { certificates }) },
  }
  return [...(turnsOn || certificates !== undefined ? [listener] : []), ...ruleChanges(planned, present, isSni)]
}

const ruleChanges = ({ groups }: PlannedListener, present: ListenerInfo, isSni: boolean): readonly Operation[] => {
  const listenerId = present.id
  const rules = groups.flatMap(({ rule }) => (rule === undefined ? [] : [rule]))
  const isMissing = (rule: (typeof rules)[number]): boolean => findRule(present, rule) === undefined
  const missing = rules.filter((rule) => isMissing(rule) && (!isSni || rule.certificates !== undefined))
  const made = missing.map((rule) => ({ ...rule, certificates: isSni ? (rule.certificates ?? []) : [] }))
  const changed = rules.flatMap((rule): readonly Operation[] => {
    const found = findRule(present, rule)
    if (found === undefined) return []
    const settings = changesOfSettings(found.settings, rule.settings)
    const certificates = isSni ? newCertificates(rule.certificates, found.certificates) : undefined
    return [
      ...(settings ? [{ kind: 'modify-rule', listenerId, locationId: found.id, settings } as const] : []),
      ...(certificates ? [{ kind: 'modify-domain', listenerId, domain: found.domain, certificates } as const] : []),
    ]
  })
  return [...(made.length > 0 ? [{ kind: 'create-rules', listenerId, rules: made } as const] : []), ...changed]
}

const findRule = (
  { rules }: ListenerInfo,
  { domain, url }: { readonly domain: string; readonly url: string },
): RuleInfo | undefined => rules.find((each) => each.domain === domain && each.url === url)

interface TargetChanges {
  readonly register: readonly PlacedTarget[]
  readonly weigh: readonly PlacedTarget[]
  readonly deregister: readonly PlacedTarget[]
  readonly waits: readonly number[]
}

const targetChanges = ({ planned, present }: Pair, input: DiffInput): TargetChanges => {
  const all = planned.groups.flatMap((group): readonly TargetChanges[] => {
    const rule = group.rule === undefined ? undefined : findRule(present, group.rule)
    if (group.rule !== undefined && rule === undefined) return []
    const place = { listenerId: present.id, ...(rule && { locationId: rule.id }) }
    return [groupChanges(group, { place, targets: rule?.targets ?? present.targets }, input)]
  })
  return {
    register: all.flatMap(({ register }) => register),
    weigh: all.flatMap(({ weigh }) => weigh),
    deregister: all.flatMap(({ deregister }) => deregister),
    waits: all.flatMap(({ waits }) => waits),
  }
}

interface PresentGroup {
  readonly place: Pick<PlacedTarget, 'listenerId' | 'locationId'>
  readonly targets: readonly TargetInfo[]
}

const groupChanges = (group: PlannedGroup, { place, targets }: PresentGroup, input: DiffInput): TargetChanges => {
  const present = new Map(targets.map((target) => [targetKey(target), target]))
  const wanted = new Map(group.targets.map((target) => [targetKey(target), target]))
  const register = group.targets.filter((target) => !target.isOnlyKept && !present.has(targetKey(target)))
  const reweighed = group.targets.filter((target) => (present.get(targetKey(target))?.weight ?? target.weight) !== target.weight)
  const excess = group.isComplete ? targets.filter((target) => !wanted.has(targetKey(target))) : []
  const isDrained = (target: TargetInfo): boolean => !group.drains || drainLeft(input, drainKey(place, target)) <= 0
  const draining = excess.filter((target) => group.drains && target.weight > 0)
  const waiting = excess.filter((target) => group.drains && target.weight === 0 && !isDrained(target))
  const gone = excess.filter((target) => !group.drains || (target.weight === 0 && isDrained(target)))
  const placed = ({ kind, id, port, weight }: Omit<PlacedTarget, 'listenerId' | 'locationId'>): PlacedTarget => ({
    ...place,
    kind,
    id,
    port,
    weight,
  })
  return {
    register: register.map(placed),
    weigh: [...reweighed.map(placed), ...draining.map((target) => placed({ ...target, weight: 0 }))],
    deregister: gone.map(placed),
    waits: waiting.map((target) => drainLeft(input, drainKey(place, target))),
  }
}

const drainLeft = ({ zeroSince, now, drainMs }: DiffInput, key: string): number => (zeroSince.get(key) ?? now) + drainMs - now

const removals = ({ paired, excess }: Pairs, targets: readonly TargetChanges[]): readonly Operation[] => {
  const deregister = targets.flatMap((each) => each.deregister)
  const rules = paired.flatMap(({ planned, present }): readonly Operation[] => {
    const isWanted = ({ domain, url }: RuleInfo): boolean =>
      planned.groups.some(({ rule }) => rule?.domain === domain && rule.url === url)
    const ids = present.rules.filter((rule) => !isWanted(rule)).map(({ id }) => id)
    return ids.length > 0 ? [{ kind: 'delete-rules', listenerId: present.id, ids }] : []
  })
  return [
    ...(deregister.length > 0 ? [{ kind: 'deregister', targets: deregister } as const] : []),
    ...rules,
    ...(excess.length > 0 ? [{ kind: 'delete-listeners', ids: excess.map(({ id }) => id) } as const] : []),
  ]
}
