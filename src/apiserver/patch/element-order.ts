import { badRequest } from '../../api/index.ts'
import { patchDirective } from './directives.ts'
import { getOwn, isJsonObject, scalarText } from './json-value.ts'

/** What tells one element of a list from another: its merge key, or the scalar itself. */
export type Identity = (item: unknown) => string

export const identityOf =
  (mergeKey: string | undefined): Identity =>
  (item) =>
    scalarText(mergeKey !== undefined && isJsonObject(item) ? getOwn(item, mergeKey) : item)

interface Orders {
  /** The order that the patch wants for the elements that it knows. */
  readonly patchOrder: readonly unknown[]
  /** The order in which the elements stood. */
  readonly serverOrder: readonly unknown[]
  readonly identity: Identity
}

/**
 * The elements that the patch knows in its order, among them those that only the server knows: each stays before the first known one
 * that it stood before.
 */
export const orderElements = (items: readonly unknown[], { patchOrder, serverOrder, identity }: Orders): readonly unknown[] => {
  const wanted = positions(patchOrder, identity)
  const stood = positions(serverOrder, identity)
  const known = items.filter((item) => wanted.has(identity(item)))
  const serverOnly = items.filter((item) => !wanted.has(identity(item)))
  known.sort(byPosition(wanted, identity))
  serverOnly.sort(byPosition(stood, identity))
  return interleave(serverOnly, known, (item) => stood.get(identity(item)))
}

const positions = (items: readonly unknown[], identity: Identity): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const [index, item] of items.entries()) if (!found.has(identity(item))) found.set(identity(item), index)
  return found
}

/** Elements without a position go last; the sort is stable. */
const byPosition =
  (order: ReadonlyMap<string, number>, identity: Identity) =>
  (a: unknown, b: unknown): number =>
    (order.get(identity(a)) ?? order.size) - (order.get(identity(b)) ?? order.size)

const interleave = (
  serverOnly: readonly unknown[],
  known: readonly unknown[],
  stood: (item: unknown) => number | undefined,
): readonly unknown[] => {
  const result: unknown[] = []
  let next = 0
  for (const item of known) {
    const position = stood(item)
    while (next < serverOnly.length && position !== undefined) {
      const before = stood(serverOnly[next])
      if (before === undefined || before >= position) break
      result.push(serverOnly[next])
      next++
    }
    result.push(item)
  }
  return [...result, ...serverOnly.slice(next)]
}

/** Throws a BadRequest ApiError unless every element of the patch's list stands in the order list, in the same order. */
export const refuseOtherOrder = (
  changes: readonly unknown[],
  order: readonly unknown[],
  { identity, directive }: { readonly identity: Identity; readonly directive: string },
): void => {
  let at = 0
  for (const item of changes) {
    if (isJsonObject(item) && Object.hasOwn(item, patchDirective)) continue
    while (at < order.length && identity(order[at]) !== identity(item)) at++
    if (at === order.length) throw badRequest(`the order in the patch's list doesn't match ${directive.slice(0, 100)}`)
  }
}
