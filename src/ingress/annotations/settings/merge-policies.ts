import type { FieldEdits, RoutePolicy } from '../../../l7/table/index.ts'

/** Policies over one another: later ones win, but edits of fields add up. */
export const mergePolicies = (...policies: readonly RoutePolicy[]): RoutePolicy => {
  const requestFields = mergeEdits(policies.flatMap((policy) => policy.requestFields ?? []))
  const responseFields = mergeEdits(policies.flatMap((policy) => policy.responseFields ?? []))
  const timeouts = Object.assign({}, ...policies.map((policy) => policy.timeouts))
  return {
    ...Object.assign({}, ...policies),
    ...(requestFields && { requestFields }),
    ...(responseFields && { responseFields }),
    ...(Object.keys(timeouts).length > 0 && { timeouts }),
  }
}

const mergeEdits = (all: readonly FieldEdits[]): FieldEdits | undefined => {
  if (all.length < 2) return all[0]
  const set = all.flatMap((edits) => edits.set ?? [])
  const add = all.flatMap((edits) => edits.add ?? [])
  const remove = [...new Set(all.flatMap((edits) => edits.remove ?? []))]
  // One list of statuses holds for all edits; where they differ, the wider one is kept.
  const [first, ...others] = all.map(({ statuses }) => statuses)
  const isShared = first !== undefined && others.every((statuses) => statuses !== undefined)
  return {
    ...(set.length > 0 && { set }),
    ...(add.length > 0 && { add }),
    ...(remove.length > 0 && { remove }),
    ...(isShared && { statuses: first }),
  }
}
