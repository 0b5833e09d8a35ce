import type { Forwarding } from '../model/index.ts'

export interface Difference {
  readonly set: readonly Forwarding[]
  readonly delete: readonly string[]
}

/**
 * What must be told to the backend: of `keys`, those whose Forwarding is not what it was last told. `unsure` keys are told in any case:
 * the backend failed on them before, so nobody knows what it has. In the order of the keys.
 */
export const diff = (
  actual: ReadonlyMap<string, Forwarding>,
  wanted: ReadonlyMap<string, Forwarding>,
  { keys, unsure }: { readonly keys: Iterable<string>; readonly unsure: ReadonlySet<string> },
): Difference => {
  const set: Forwarding[] = []
  const gone: string[] = []
  for (const key of new Set([...keys, ...unsure])) {
    const before = actual.get(key)
    const after = wanted.get(key)
    if (after === undefined) {
      if (before !== undefined || unsure.has(key)) gone.push(key)
    } else if (before === undefined || unsure.has(key) || !isEqual(before, after)) set.push(after)
  }
  return { set: set.sort((a, b) => (a.key < b.key ? -1 : 1)), delete: gone.sort() }
}

/** Forwardings are plain data in a fixed order: fields that are left out are left out in both. */
const isEqual = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index]))
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return left.length === right.size && left.every(([name, value]) => right.has(name) && isEqual(value, right.get(name)))
}
