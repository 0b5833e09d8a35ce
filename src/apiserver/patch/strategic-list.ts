import { badRequest } from '../../api/index.ts'
import { itemNode, type MergeRule, type Node } from '../../schema/index.ts'
import { patchDirective, withoutDirectives } from './directives.ts'
import { identityOf, orderElements } from './element-order.ts'
import { getOwn, isJsonObject, type JsonObject } from './json-value.ts'

/** Merges a patch into an object. */
export type MergeObjects = (original: JsonObject, patch: JsonObject, node: Node | undefined) => unknown

interface ListMerge {
  readonly rule: MergeRule
  readonly mergeObjects: MergeObjects
}

/** Merges a list with the merge strategy: scalars become a set, objects merge by their key. */
export const mergeLists = (original: readonly unknown[], patch: readonly unknown[], merge: ListMerge): readonly unknown[] => {
  const { mergeKey } = merge.rule
  if (mergeKey === undefined) {
    if ([...original, ...patch].some((item) => typeof item === 'object' && item !== null)) {
      throw badRequest('cannot merge lists without merge key, or lists of lists')
    }
    return orderElements([...new Set([...original, ...patch])], {
      patchOrder: patch,
      serverOrder: original,
      identity: identityOf(undefined),
    })
  }
  const { deletions, changes, isReplaced } = sortOut(patch, mergeKey)
  if (isReplaced) return changes.map(withoutDirectives)
  const merged = mergeElements(withoutDeleted(original, deletions, merge.rule), changes, merge)
  return orderElements(merged, { patchOrder: changes, serverOrder: original, identity: identityOf(mergeKey) })
}

interface SortedPatch {
  readonly deletions: readonly JsonObject[]
  readonly changes: readonly JsonObject[]
  readonly isReplaced: boolean
}

const sortOut = (patch: readonly unknown[], mergeKey: string): SortedPatch => {
  const deletions: JsonObject[] = []
  const changes: JsonObject[] = []
  let isReplaced = false
  for (const item of patch) {
    if (!isJsonObject(item))
      throw badRequest(`invalid patch: an element of a list that merges by "${mergeKey}" must be an object`)
    const directive = getOwn(item, patchDirective)
    if (directive === 'replace') {
      isReplaced = true
      if (Object.hasOwn(item, mergeKey)) changes.push(item)
      continue
    }
    if (directive !== undefined && directive !== 'delete') {
      throw badRequest(`unknown patch type found in ${patchDirective} of a list element; it must be "replace" or "delete"`)
    }
    if (!Object.hasOwn(item, mergeKey)) {
      throw badRequest(`map: ${JSON.stringify(item).slice(0, 200)} does not contain declared merge key: ${mergeKey}`)
    }
    if (directive === 'delete') deletions.push(item)
    else changes.push(item)
  }
  return { deletions, changes, isReplaced }
}

const withoutDeleted = (original: readonly unknown[], deletions: readonly JsonObject[], rule: MergeRule): readonly unknown[] => {
  if (deletions.length === 0) return original
  const identity = identityOf(rule.mergeKey)
  const byIdentity = grouped(deletions, identity)
  return original.filter((item) => {
    const candidates = byIdentity.get(identity(item)) ?? []
    return !candidates.some((deletion) => !namesAllKeys(deletion, rule) || hasSameKeys(deletion, item, rule))
  })
}

const grouped = (
  items: readonly JsonObject[],
  identity: (item: unknown) => string,
): ReadonlyMap<string, readonly JsonObject[]> => {
  const groups = new Map<string, JsonObject[]>()
  for (const item of items) {
    const group = groups.get(identity(item))
    if (group === undefined) groups.set(identity(item), [item])
    else group.push(item)
  }
  return groups
}

/**
 * Changes go to the element with the same merge key, as in Kubernetes. Where several have it (the ports 53/TCP and 53/UDP of a Service),
 * to the one that agrees in all keys, where Kubernetes takes the first and breaks it.
 */
const mergeElements = (
  original: readonly unknown[],
  changes: readonly JsonObject[],
  { rule, mergeObjects }: ListMerge,
): readonly unknown[] => {
  const identity = identityOf(rule.mergeKey)
  const node = itemNode(rule.node)
  const merged: unknown[] = [...original]
  const places = new Map<string, number[]>()
  const remember = (item: unknown, index: number): void => {
    const indexes = places.get(identity(item))
    if (indexes === undefined) places.set(identity(item), [index])
    else indexes.push(index)
  }
  original.forEach(remember)
  for (const change of changes) {
    const candidates = places.get(identity(change)) ?? []
    const exact = candidates.length > 1 ? candidates.find((index) => hasSameKeys(change, merged[index], rule)) : undefined
    const place = exact ?? candidates[0]
    const existing = place === undefined ? undefined : merged[place]
    if (place === undefined || !isJsonObject(existing)) {
      remember(change, merged.length)
      merged.push(withoutDirectives(change))
    } else {
      merged[place] = mergeObjects(existing, change, node)
    }
  }
  return merged
}

const namesAllKeys = (item: JsonObject, rule: MergeRule): boolean => rule.keys.every((key) => Object.hasOwn(item, key))

const hasSameKeys = (a: JsonObject, b: unknown, rule: MergeRule): boolean =>
  isJsonObject(b) && rule.keys.every((key) => getOwn(a, key) === getOwn(b, key))
