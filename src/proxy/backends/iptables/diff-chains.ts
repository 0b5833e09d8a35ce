import type { ReadChain, TableName } from '../../../kernel/iptables/index.ts'
import { type Release, readKey, type Step, textOf } from './diff-steps.ts'
import type { ChainLayout } from './layout.ts'

/** Chains that are written whole. */
export interface Chains {
  acquire(chain: ChainLayout, owner?: string): Release
  adopt(found: readonly ReadChain[]): void
  difference(): readonly Step[]
  committed(): void
  rulesOf(table: TableName, chain: string): readonly string[]
}

interface Entry {
  readonly table: TableName
  readonly chain: string
  holders: number
  owner: string | undefined
  texts: readonly string[]
  keys: readonly string[]
  /** Keys of the rules that the kernel has; undefined without the chain. */
  committed: readonly string[] | undefined
}

export const createChains = (): Chains => {
  const entries = new Map<string, Entry>()
  const touched = new Set<Entry>()
  const touch = (table: TableName, chain: string): Entry => {
    const id = `${table} ${chain}`
    const known = entries.get(id)
    const entry = known ?? { table, chain, holders: 0, owner: undefined, texts: [], keys: [], committed: undefined }
    if (known === undefined) entries.set(id, entry)
    touched.add(entry)
    return entry
  }
  return {
    acquire({ table, chain, rules }, owner) {
      const entry = touch(table, chain)
      const written = rules.map(textOf)
      entry.holders++
      entry.owner = owner
      entry.texts = written.map(({ text }) => text)
      entry.keys = written.map(({ key }) => key)
      return () => void touch(table, chain).holders--
    },
    adopt(found) {
      for (const entry of entries.values()) {
        entry.committed = undefined
        touched.add(entry)
      }
      for (const { table, chain, rules } of found) touch(table, chain).committed = rules.map(readKey)
    },
    difference: () => [...touched].flatMap(stepOf),
    committed() {
      for (const entry of touched) {
        entry.committed = entry.holders > 0 ? entry.keys : undefined
        if (entry.holders <= 0) entries.delete(`${entry.table} ${entry.chain}`)
      }
      touched.clear()
    },
    rulesOf: (table, chain) => entries.get(`${table} ${chain}`)?.texts ?? [],
  }
}

const stepOf = ({ table, chain, holders, owner, texts, keys, committed }: Entry): readonly Step[] => {
  if (holders <= 0) return committed === undefined ? [] : [{ table, command: { kind: 'delete chain', chain }, drift: 'foreign' }]
  if (committed === undefined) return [{ table, command: { kind: 'add chain', chain, rules: texts }, drift: 'missing', owner }]
  const isRight = committed.length === keys.length && keys.every((key, index) => key === committed[index])
  return isRight ? [] : [{ table, command: { kind: 'set chain', chain, rules: texts }, drift: 'changed', owner }]
}
