import type { IPFamily } from '../../../ip/index.ts'
import type { Command, ReadChain, TableName, Transaction } from '../../../kernel/iptables/index.ts'
import type { Drift } from '../../backend.ts'
import { type ChainLayout, ENTRIES, type Entry } from './chains.ts'

/** What the kernel has of our chains in one family, and of the rules that lead to them. */
export interface Chains {
  /** Rules by table and chain. */
  readonly rules: ReadonlyMap<string, readonly string[]>
  readonly entries: readonly Entry[]
}

export const NO_CHAINS: Chains = { rules: new Map(), entries: [] }

const TABLES: readonly TableName[] = ['mangle', 'nat', 'filter']

const idOf = ({ table, chain }: { readonly table: TableName; readonly chain: string }): string => `${table} ${chain}`

export const chainsFound = (found: readonly ReadChain[]): Chains => ({
  rules: new Map(found.filter(({ isOwned }) => isOwned).map((each) => [idOf(each), each.rules.map(({ text }) => text)])),
  entries: found
    .filter(({ isOwned }) => !isOwned)
    .flatMap(({ table, chain, rules }) => rules.map(({ text }) => ({ table, chain, rule: text }))),
})

/** What the kernel has when all is done. */
export const chainsWanted = (layouts: readonly ChainLayout[]): Chains => ({
  rules: new Map(layouts.map((layout) => [idOf(layout), layout.rules])),
  entries: ENTRIES,
})

/** From what is there to what shall be; empty when that is the same. */
export const chainChanges = (wanted: Chains, actual: Chains): Transaction => {
  if (wanted === actual) return []
  return TABLES.map((table) => ({
    table,
    commands: [
      ...[...wanted.rules]
        .filter(([id, rules]) => isOf(table, id) && !sameRules(actual.rules.get(id), rules))
        .map(([id, rules]): Command => ({ kind: 'set chain', chain: chainOf(id), rules })),
      ...unwantedEntries(wanted, actual)
        .filter((entry) => entry.table === table)
        .map(({ chain, rule }): Command => ({ kind: 'delete rule', chain, rule })),
      ...missingEntries(wanted, actual)
        .filter((entry) => entry.table === table)
        .map(({ chain, rule }): Command => ({ kind: 'insert rule', chain, rule })),
      ...[...actual.rules.keys()]
        .filter((id) => isOf(table, id) && !wanted.rules.has(id))
        .map((id): Command => ({ kind: 'delete chain', chain: chainOf(id) })),
    ],
  })).filter(({ commands }) => commands.length > 0)
}

/** The same for people. */
export const chainDrift = (family: IPFamily, wanted: Chains, actual: Chains): readonly Drift[] => {
  const chain = (id: string): string => `chain ${chainOf(id)} in table ${id.split(' ')[0]} (${family})`
  const entry = (each: Entry): string => `rule ${each.rule} in chain ${each.chain} of table ${each.table} (${family})`
  return [
    ...[...wanted.rules].flatMap(([id, rules]): Drift[] => {
      const found = actual.rules.get(id)
      if (sameRules(found, rules)) return []
      return [{ kind: found === undefined ? 'missing' : 'changed', what: chain(id) }]
    }),
    ...[...actual.rules.keys()].filter((id) => !wanted.rules.has(id)).map((id): Drift => ({ kind: 'foreign', what: chain(id) })),
    ...missingEntries(wanted, actual).map((each): Drift => ({ kind: 'missing', what: entry(each) })),
    ...unwantedEntries(wanted, actual).map((each): Drift => ({ kind: 'foreign', what: entry(each) })),
  ]
}

const isOf = (table: TableName, id: string): boolean => id.startsWith(`${table} `)
const chainOf = (id: string): string => id.slice(id.indexOf(' ') + 1)

const sameRules = (one: readonly string[] | undefined, other: readonly string[]): boolean =>
  one !== undefined && one.length === other.length && one.every((rule, index) => rule === other[index])

const sameEntry = (one: Entry, other: Entry): boolean =>
  one.table === other.table && one.chain === other.chain && one.rule === other.rule

const missingEntries = (wanted: Chains, actual: Chains): readonly Entry[] =>
  wanted.entries.filter((entry) => !actual.entries.some((each) => sameEntry(each, entry)))

/** Of one that is there twice, the second goes. */
const unwantedEntries = (wanted: Chains, actual: Chains): readonly Entry[] =>
  actual.entries.filter(
    (entry, index) =>
      !wanted.entries.some((each) => sameEntry(each, entry)) ||
      actual.entries.findIndex((each) => sameEntry(each, entry)) < index,
  )
