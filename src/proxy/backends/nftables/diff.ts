import { type Element, elementText, type Table, tableText } from '../../../kernel/nft/index.ts'
import type { Drift } from '../../backend.ts'

/** What must change for one Service (or, without key, for what belongs to none); its parts go in one transaction. */
export interface Group {
  readonly key?: string
  /** All that it wants, also what is there already. */
  readonly elements: readonly Element[]
  readonly remove: readonly Element[]
  readonly add: readonly Element[]
}

/** What the kernel has of all that is compared. Whatever was compared is gone from it; what is left over is wanted by nobody. */
export class Present {
  readonly #sets: Map<string, Map<string, string>>
  /** Keys of interval sets by what stands before the interval. */
  readonly #intervals = new Map<string, Set<string>>()

  constructor(elements: ReadonlyMap<string, Map<string, string>> = new Map()) {
    this.#sets = new Map(elements)
    for (const [set, members] of this.#sets) if (INTERVAL_SETS.has(set)) for (const key of members.keys()) this.#index(set, key)
  }

  get(set: string, key: string): string | undefined {
    return this.#sets.get(set)?.get(key)
  }

  put({ set, key, value = '' }: Element): void {
    const members = this.#sets.get(set)
    if (members === undefined) this.#sets.set(set, new Map([[key, value]]))
    else members.set(key, value)
    if (INTERVAL_SETS.has(set)) this.#index(set, key)
  }

  take(set: string, key: string): string | undefined {
    const members = this.#sets.get(set)
    const value = members?.get(key)
    if (value !== undefined) members?.delete(key)
    return value
  }

  /** The intervals that are left of a frontend, or of a set without frontends: what is new may overlap them, so they must go with it. */
  takeIntervals(set: string, before = ''): readonly Element[] {
    const id = `${set} ${before}`
    const keys = [...(this.#intervals.get(id) ?? [])].filter((key) => this.take(set, key) !== undefined)
    this.#intervals.delete(id)
    return keys.map((key) => ({ set, key }))
  }

  /** What is left over: frontends first, so that nobody is led to what goes after them. */
  rest(): readonly Element[] {
    const rank = (set: string): number => (set.startsWith('services') ? 0 : 1)
    return [...this.#sets]
      .sort(([a], [b]) => rank(a) - rank(b))
      .flatMap(([set, members]) => [...members].map(([key, value]) => (value === '' ? { set, key } : { set, key, value })))
  }

  /** What is left over, which is nothing then. */
  takeRest(): readonly Element[] {
    const rest = this.rest().map(({ set, key }) => ({ set, key }))
    this.#sets.clear()
    this.#intervals.clear()
    return rest
  }

  #index(set: string, key: string): void {
    const at = key.lastIndexOf(' . ')
    const id = `${set} ${at < 0 ? '' : key.slice(0, at)}`
    const known = this.#intervals.get(id)
    if (known === undefined) this.#intervals.set(id, new Set([key]))
    else known.add(key)
  }
}

const INTERVAL_SETS: ReadonlySet<string> = new Set(['pods', 'service-cidrs', 'allowed'])

/** Takes what is wanted out of what is present and says what must change. `found` is told of each difference. */
export const compare = (
  present: Present,
  { key, elements }: Pick<Group, 'key' | 'elements'>,
  found?: (kind: Drift['kind'], element: Element) => void,
): Group => {
  const remove: Element[] = []
  const add: Element[] = []
  for (const element of elements) {
    const value = present.take(element.set, element.key)
    if (value === (element.value ?? '')) continue
    found?.(value === undefined ? 'missing' : 'changed', element)
    if (value !== undefined) remove.push({ set: element.set, key: element.key })
    add.push(element)
  }
  return { ...(key === undefined ? {} : { key }), elements, remove, add }
}

/** One element of a table that is not as it was told. */
export const elementDrift = (table: Table, kind: Drift['kind'], element: Element): Drift => ({
  kind,
  what: `${elementText(element)} in ${tableText(table)}`,
})
