import { badRequest } from '../../api/index.ts'
import { getOwn, isJsonObject, type JsonObject, setOwn } from './json-value.ts'

/** JSON merge patch (RFC 7396): null removes, an object merges, everything else replaces. Changes neither argument. */
export const applyMergePatch = (current: unknown, patch: unknown): unknown => {
  if (!isJsonObject(patch)) throw badRequest('a merge patch must be a JSON object')
  return mergeInto(current, patch)
}

const mergeInto = (current: unknown, patch: JsonObject): unknown => {
  const merged: Record<string, unknown> = isJsonObject(current) ? { ...current } : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) delete merged[key]
    else setOwn(merged, key, isJsonObject(value) ? mergeInto(getOwn(merged, key), value) : value)
  }
  return merged
}
