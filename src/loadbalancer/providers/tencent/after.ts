import type { GroupSettings, ListenerInfo, PlacedTarget, TargetInfo } from './client/index.ts'
import type { Observed } from './diff.ts'
import type { Operation } from './operation.ts'
import { targetKey } from './plan.ts'

/** Pure: a load balancer after an operation. `ids` are those that the cloud gave to what was made, in its order. */
export const after = (observed: Observed, operation: Operation, ids: readonly string[]): Observed => {
  const { info, listeners } = observed
  switch (operation.kind) {
    case 'set-security-groups':
      return { ...observed, info: { ...info, securityGroups: operation.groups } }
    case 'modify-load-balancer':
      return { ...observed, info: { ...info, ...operation.changes } }
    case 'create-listeners':
      return { ...observed, listeners: [...listeners, ...operation.listeners.map((each, index) => made(each, ids[index] ?? ''))] }
    case 'delete-listeners':
      return { ...observed, listeners: listeners.filter(({ id }) => !operation.ids.includes(id)) }
    case 'register':
    case 'weigh':
    case 'deregister':
      return { ...observed, listeners: listeners.map((listener) => withTargets(listener, operation)) }
    default:
      return {
        ...observed,
        listeners: listeners.map((each) => (each.id === operation.listenerId ? changed(each, operation, ids) : each)),
      }
  }
}

const made = (
  {
    name,
    protocol,
    port,
    isSni,
    certificates,
    settings,
  }: Pick<ListenerInfo, 'name' | 'protocol' | 'port' | 'isSni' | 'settings'> & {
    readonly certificates: readonly string[] | undefined
  },
  id: string,
): ListenerInfo => ({ id, name, protocol, port, isSni, certificates: certificates ?? [], settings, rules: [], targets: [] })

type OfListener = Extract<Operation, { readonly listenerId: string }>

const changed = (listener: ListenerInfo, operation: OfListener, ids: readonly string[]): ListenerInfo => {
  switch (operation.kind) {
    case 'modify-listener': {
      const { settings, ...rest } = operation.changes
      return { ...listener, ...rest, ...(settings && { settings: merged(listener.settings, settings) }) }
    }
    case 'create-rules': {
      const rules = operation.rules.map((rule, index) => ({ ...rule, id: ids[index] ?? '', targets: [] }))
      return { ...listener, rules: [...listener.rules, ...rules] }
    }
    case 'modify-rule': {
      const rules = listener.rules.map((rule) =>
        rule.id === operation.locationId ? { ...rule, settings: merged(rule.settings, operation.settings) } : rule,
      )
      return { ...listener, rules }
    }
    case 'modify-domain': {
      const { domain, certificates } = operation
      return { ...listener, rules: listener.rules.map((rule) => (rule.domain === domain ? { ...rule, certificates } : rule)) }
    }
    case 'delete-rules':
      return { ...listener, rules: listener.rules.filter(({ id }) => !operation.ids.includes(id)) }
    default:
      return operation satisfies never
  }
}

const merged = (before: GroupSettings, { healthCheck, ...scalars }: GroupSettings): GroupSettings => ({
  ...before,
  ...scalars,
  ...(healthCheck && { healthCheck: { ...before.healthCheck, ...healthCheck } }),
})

type OfTargets = Extract<Operation, { readonly targets: readonly PlacedTarget[] }>

const withTargets = (listener: ListenerInfo, operation: OfTargets): ListenerInfo => {
  const mine = operation.targets.filter(({ listenerId }) => listenerId === listener.id)
  if (mine.length === 0) return listener
  const at = (locationId?: string): readonly PlacedTarget[] => mine.filter((target) => target.locationId === locationId)
  return {
    ...listener,
    targets: edited(listener.targets, operation.kind, at()),
    rules: listener.rules.map((rule) => ({ ...rule, targets: edited(rule.targets, operation.kind, at(rule.id)) })),
  }
}

const edited = (
  before: readonly TargetInfo[],
  kind: OfTargets['kind'],
  given: readonly PlacedTarget[],
): readonly TargetInfo[] => {
  if (given.length === 0) return before
  const byKey = new Map(given.map((target) => [targetKey(target), target]))
  const without = before.filter((target) => !byKey.has(targetKey(target)))
  if (kind === 'deregister') return without
  const kept = before.map((target) => ({ ...target, weight: byKey.get(targetKey(target))?.weight ?? target.weight }))
  if (kind === 'weigh') return kept
  const known = new Set(before.map(targetKey))
  const added = given.filter((target) => !known.has(targetKey(target)))
  return [
    ...kept,
    ...added.map(({ kind: of, id, port, weight }) => ({ kind: of, id, address: of === 'address' ? id : '', port, weight })),
  ]
}
