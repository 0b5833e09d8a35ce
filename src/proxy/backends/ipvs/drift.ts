import type { Drift } from '../../backend.ts'
import type { Difference } from './diff.ts'
import { itemText } from './items.ts'

/** What the difference to a kernel that was just read says for people. Redirects are rules, which are compared as such. */
export const driftOf = (difference: Difference): readonly Drift[] =>
  difference.flatMap(({ kind, item, key }): Drift[] => {
    if (item.kind === 'redirect') return []
    const what = itemText(item)
    const owner = key === undefined ? {} : { key }
    switch (kind) {
      case 'add':
        return [{ kind: 'missing', what, ...owner }]
      case 'change':
        return [{ kind: 'changed', what, ...owner }]
      case 'remove':
      case 'drain':
        return [{ kind: 'foreign', what, ...owner }]
      default:
        return kind satisfies never
    }
  })
