import { badRequest } from '../../api/index.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An own property, never one of Object.prototype. */
export const getOwn = (object: JsonObject, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined)

/** Assigns an own property whatever its name: a plain assignment to `__proto__` would change the prototype. */
export const setOwn = (object: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** A scalar as a key of a map: `80` and `'80'` are the same. An object may have a `toString` of its own, so String() is not for it. */
export const scalarText = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

const maxDepth = 500

/** Throws a BadRequest ApiError for a value nested so deeply that walking it would exhaust the stack. */
export const refuseDeep = (value: unknown): void => {
  if (!isWithinDepth(value, maxDepth)) throw badRequest('the patch exceeds the max depth')
}

const isWithinDepth = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return true
  return depth > 0 && Object.values(value).every((inner) => isWithinDepth(inner, depth - 1))
}
