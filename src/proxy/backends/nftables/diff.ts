import type { Element } from '../../../kernel/nft/index.ts'

/** The record of one table: what is wanted, by how many, and what the kernel has. Cost follows what is touched. */
export interface Books {
  /** Adds a holder; the last one's value counts. */
  acquire(element: Element): void
  release(element: Element): void
  /** Replaces what the kernel is known to have. */
  adopt(elements: readonly Element[]): void
  committedValue(set: string, key: string): string | undefined
  /** What must change; nothing is remembered as done before `committed`. */
  difference(): Difference
  /** The last difference is in the kernel. */
  committed(): void
  /** Elements that are wanted. */
  readonly size: number
}

export interface Difference {
  readonly remove: readonly Element[]
  readonly add: readonly Element[]
}

interface Entry {
  readonly set: string
  readonly key: string
  holders: number
  /** Empty for elements of sets. */
  wanted: string
  committed: string | undefined
}

export const createBooks = (): Books => {
  const entries = new Map<string, Entry>()
  const touched = new Set<Entry>()
  const entryOf = (set: string, key: string): Entry => {
    const id = `${set} ${key}`
    const known = entries.get(id)
    if (known !== undefined) return known
    const entry: Entry = { set, key, holders: 0, wanted: '', committed: undefined }
    entries.set(id, entry)
    return entry
  }
  return {
    acquire({ set, key, value = '' }) {
      const entry = entryOf(set, key)
      entry.holders++
      entry.wanted = value
      touched.add(entry)
    },
    release({ set, key }) {
      const entry = entryOf(set, key)
      entry.holders--
      touched.add(entry)
    },
    adopt(elements) {
      for (const entry of entries.values()) {
        entry.committed = undefined
        touched.add(entry)
      }
      for (const { set, key, value = '' } of elements) {
        const entry = entryOf(set, key)
        entry.committed = value
        touched.add(entry)
      }
    },
    committedValue: (set, key) => entries.get(`${set} ${key}`)?.committed,
    difference: () => difference(touched),
    committed() {
      for (const entry of touched) {
        entry.committed = entry.holders > 0 ? entry.wanted : undefined
        if (entry.holders <= 0) entries.delete(`${entry.set} ${entry.key}`)
      }
      touched.clear()
    },
    get size() {
      return entries.size
    },
  }
}

const difference = (touched: ReadonlySet<Entry>): Difference => {
  const remove: Element[] = []
  const add: Element[] = []
  for (const { set, key, holders, wanted, committed } of touched) {
    const isRight = holders > 0 ? wanted === committed : committed === undefined
    if (isRight) continue
    if (committed !== undefined) remove.push({ set, key })
    if (holders > 0) add.push(wanted === '' ? { set, key } : { set, key, value: wanted })
  }
  return { remove, add }
}
