import { badRequest } from '../../api/index.ts'
import { type MergeRule, mergeRule, type Node } from '../../schema/index.ts'
import {
  deleteFromPrimitiveList,
  isDirective,
  patchDirective,
  retainKeys,
  setElementOrder,
  withoutDirectives,
} from './directives.ts'
import { identityOf, orderElements, refuseOtherOrder } from './element-order.ts'
import { getOwn, isJsonObject, type JsonObject, scalarText, setOwn } from './json-value.ts'
import { type MergeObjects, mergeLists } from './strategic-list.ts'

/**
 * Kubernetes' strategic merge patch: as a merge patch, but lists merge by the keys of the schema, and directives (`$patch`,
 * `$retainKeys`, `$deleteFromPrimitiveList/x`, `$setElementOrder/x`) say what merging alone cannot. Changes neither argument.
 */
export const applyStrategicPatch = (node: Node, current: unknown, patch: unknown): unknown => {
  if (!isJsonObject(patch)) throw badRequest('a strategic merge patch must be a JSON object')
  return mergeObjects(isJsonObject(current) ? current : {}, patch, node)
}

const mergeObjects: MergeObjects = (original, patch, node) => {
  switch (getOwn(patch, patchDirective)) {
    case undefined:
    case 'merge':
      break
    case 'delete':
      return {}
    case 'replace':
      return withoutDirectives(patch)
    default:
      throw badRequest(`unknown patch type found in ${patchDirective}; it must be "merge", "replace" or "delete"`)
  }
  const merged: Record<string, unknown> = { ...original }
  applyRetainKeys(merged, patch)
  const ordered = applyElementOrders(merged, patch, node)
  for (const key of Object.keys(patch)) {
    if (key.startsWith(deleteFromPrimitiveList)) deletePrimitives(merged, key.slice(deleteFromPrimitiveList.length), patch[key])
    else if (!isDirective(key) && !ordered.has(key)) mergeField(merged, { key, value: patch[key], rule: mergeRule(node, key) })
  }
  return merged
}

interface FieldPatch {
  readonly key: string
  readonly value: unknown
  readonly rule: MergeRule
}

const mergeField = (merged: Record<string, unknown>, { key, value, rule }: FieldPatch): void => {
  if (value === null) {
    delete merged[key]
    return
  }
  setOwn(merged, key, mergeValues(getOwn(merged, key), value, rule))
}

const mergeValues = (original: unknown, value: unknown, rule: MergeRule): unknown => {
  if (rule.strategy === 'replace') return withoutDirectives(value)
  if (isJsonObject(original) && isJsonObject(value)) return mergeObjects(original, value, rule.node)
  if (Array.isArray(original) && Array.isArray(value) && rule.node?.kind === 'list') {
    return mergeLists(original, value, { rule, mergeObjects })
  }
  return withoutDirectives(value)
}

/** `$retainKeys`: whatever it doesn't name goes. */
const applyRetainKeys = (merged: Record<string, unknown>, patch: JsonObject): void => {
  const retained = getOwn(patch, retainKeys)
  if (retained === undefined) return
  if (!Array.isArray(retained)) throw badRequest(`invalid patch format of ${retainKeys}: it must be a list of field names`)
  const names = new Set<unknown>(retained)
  for (const key of Object.keys(patch)) {
    if (patch[key] !== null && !isDirective(key) && !names.has(key)) {
      throw badRequest(`invalid patch format of ${retainKeys}: "${key.slice(0, 100)}" is in the patch but not in the list`)
    }
  }
  for (const key of Object.keys(merged)) if (!names.has(key)) delete merged[key]
}

const deletePrimitives = (merged: Record<string, unknown>, key: string, values: unknown): void => {
  if (!Array.isArray(values))
    throw badRequest(`invalid patch format of ${deleteFromPrimitiveList}${key.slice(0, 100)}: it must be a list`)
  const original = getOwn(merged, key)
  if (!Array.isArray(original)) return
  const deleted = new Set(values.map(scalarText))
  setOwn(
    merged,
    key,
    original.filter((item) => typeof item === 'object' || !deleted.has(scalarText(item))),
  )
}

/** Merges and orders the lists that `$setElementOrder` names; returns their names. */
const applyElementOrders = (merged: Record<string, unknown>, patch: JsonObject, node: Node | undefined): ReadonlySet<string> => {
  const ordered = new Set<string>()
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(setElementOrder)) continue
    const order = patch[directive]
    if (!Array.isArray(order)) throw badRequest(`invalid patch format of ${directive.slice(0, 100)}: it must be a list`)
    const key = directive.slice(setElementOrder.length)
    const original = getOwn(merged, key)
    const changes = getOwn(patch, key)
    if (changes !== undefined && !Array.isArray(changes)) continue
    if (changes === undefined && !Array.isArray(original)) continue
    const rule = mergeRule(node, key)
    const identity = identityOf(rule.mergeKey)
    if (changes !== undefined) refuseOtherOrder(changes, order, { identity, directive })
    const all = changes === undefined ? original : mergeValues(original, changes, rule)
    if (!Array.isArray(all)) continue
    setOwn(merged, key, orderElements(all, { patchOrder: order, serverOrder: Array.isArray(original) ? original : [], identity }))
    ordered.add(key)
  }
  return ordered
}
