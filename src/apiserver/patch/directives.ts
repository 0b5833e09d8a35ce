import { isJsonObject, setOwn } from './json-value.ts'

/** In an object or an element of a list: `replace`, `merge` or `delete`. */
export const patchDirective = '$patch'
/** The fields of the object that stay. */
export const retainKeys = '$retainKeys'
/** Followed by the name of a list of scalars: the values to remove. */
export const deleteFromPrimitiveList = '$deleteFromPrimitiveList/'
/** Followed by the name of a list: the order of the elements that the patch's author knows. */
export const setElementOrder = '$setElementOrder/'

/** Whether a key of a patch is an order to the server rather than a field. */
export const isDirective = (key: string): boolean =>
  key === patchDirective || key === retainKeys || key.startsWith(deleteFromPrimitiveList) || key.startsWith(setElementOrder)

/** A value of a patch as it is stored where nothing was: directives, nulls and elements to delete are left out. */
export const withoutDirectives = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.filter((item) => !isMarker(item)).map(withoutDirectives)
  if (!isJsonObject(value)) return value
  const kept: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    if (value[key] !== null && !isDirective(key)) setOwn(kept, key, withoutDirectives(value[key]))
  }
  return kept
}

/** An element that only orders something: to delete one, or (alone with its directive) to replace the list. */
const isMarker = (item: unknown): boolean => {
  if (!isJsonObject(item) || !Object.hasOwn(item, patchDirective)) return false
  return item[patchDirective] === 'delete' || Object.keys(item).length === 1
}
