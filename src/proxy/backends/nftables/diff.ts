import { type Element, type ElementSet, elementText, type Table, tableText } from '../../../kernel/nft/index.ts'
import type { Drift } from '../../backend.ts'
import { SERVICES } from './layout.ts'

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
  /** As the kernel was read; nothing comes to it. */
  readonly #read: ReadonlyMap<string, ElementSet>
  /** What Services that change have in the kernel, as far as the books know. */
  readonly #known = new Map<string, Map<string, string>>()
  /** Keys of interval sets by what stands before the interval. */
  readonly #intervals = new Map<string, Set<string>>()

  constructor(read: ReadonlyMap<string, ElementSet> = new Map()) {
    this.#read = read
    for (const set of INTERVAL_SETS) for (const [key] of read.get(set) ?? []) this.#index(set, key)
  }

  get(set: string, key: string): string | undefined {
    return this.#known.get(set)?.get(key) ?? this.#read.get(set)?.get(key)
  }

  put({ set, key, value = '' }: Element): void {
    const members = this.#known.get(set)
    if (members === undefined) this.#known.set(set, new Map([[key, value]]))
    else members.set(key, value)
    if (INTERVAL_SETS.has(set)) this.#index(set, key)
  }

  /** Takes an element out, and says whether it has the value that is wanted. */
  take({ set, key, value = '' }: Element): 'same' | 'changed' | 'missing' {
    const members = this.#known.get(set)
    const known = members?.get(key)
    if (known === undefined) return this.#read.get(set)?.take(key, value) ?? 'missing'
    members?.delete(key)
    return known === value ? 'same' : 'changed'
  }

  /** The intervals that are left of a frontend, or of a set without frontends: what is new may overlap them, so they must go with it. */
  takeIntervals(set: string, before = ''): readonly Element[] {
    const id = `${set} ${before}`
    const keys = [...(this.#intervals.get(id) ?? [])].filter((key) => this.take({ set, key }) !== 'missing')
    this.#intervals.delete(id)
    return keys.map((key) => ({ set, key }))
  }

  /** What is left over: frontends first, so that nobody is led to what goes after them. */
  rest(): readonly Element[] {
    const rank = (set: string): number => (SERVICES.has(set) ? 0 : 1)
    return [...this.#read, ...this.#known]
      .sort(([a], [b]) => rank(a) - rank(b))
      .flatMap(([set, members]) => [...members].map(([key, value]) => (value === '' ? { set, key } : { set, key, value })))
  }

  /** What is left over, which is nothing then. */
  takeRest(): readonly Element[] {
    const rest = this.rest().map(({ set, key }) => ({ set, key }))
    for (const element of rest) this.take(element)
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
    const state = present.take(element)
    if (state === 'same') continue
    found?.(state, element)
    if (state === 'changed') remove.push({ set: element.set, key: element.key })
    add.push(element)
  }
  return { ...(key === undefined ? {} : { key }), elements, remove, add }
}

/** One element of a table that is not as it was told. */
export const elementDrift = (table: Table, kind: Drift['kind'], element: Element): Drift => ({
  kind,
  what: `${elementText(element)} in ${tableText(table)}`,
})
