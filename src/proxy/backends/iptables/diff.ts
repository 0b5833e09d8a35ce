import type { Command, ReadChain, TableName, Transaction } from '../../../kernel/iptables/index.ts'
import type { Drift } from '../../backend.ts'
import { createChains } from './diff-chains.ts'
import { createLists } from './diff-lists.ts'
import type { Release, Step } from './diff-steps.ts'
import { type ChainLayout, isList, type ListItem } from './layout.ts'

/** The record of one family: what is wanted, and what the kernel has. Cost follows what is touched. */
export interface Books {
  /** Gives what releases it again. */
  acquireChain(chain: ChainLayout, owner?: string): Release
  acquireItem(item: ListItem, owner?: string): Release
  /** Replaces what the kernel is known to have. */
  adopt(found: readonly ReadChain[]): void
  /** What must change; nothing is remembered as done before `committed`. */
  difference(): readonly Step[]
  /** The last difference is in the kernel. */
  committed(): void
  /** The rules that are wanted of a chain, in their order, as text. */
  rulesOf(table: TableName, chain: string): readonly string[]
}

export const createBooks = (): Books => {
  const chains = createChains()
  const lists = createLists()
  return {
    acquireChain: chains.acquire,
    acquireItem: lists.acquire,
    adopt(found) {
      chains.adopt(found.filter(({ isOwned, table, chain }) => isOwned && !isList(table, chain)))
      lists.adopt(found.filter(({ isOwned, isBuiltIn, table, chain }) => (isOwned ? isList(table, chain) : isBuiltIn)))
    },
    difference: () => [...lists.difference(), ...chains.difference()],
    committed() {
      chains.committed()
      lists.committed()
    },
    rulesOf: (table, chain) => lists.rulesOf(table, chain) ?? chains.rulesOf(table, chain),
  }
}

/**
 * Steps as one transaction. A table is atomic, but not all of them together, so packets must fare well between any two: what refuses
 * is there before what translates goes, and goes after it came.
 */
export const transactionOf = (steps: readonly Step[]): Transaction => {
  const of = (table: TableName, isGoing?: boolean): readonly Command[] =>
    steps
      .filter((step) => step.table === table && (isGoing === undefined || isRemoval(step.command) === isGoing))
      .map(({ command }) => command)
  return [
    { table: 'filter', commands: of('filter', false) },
    { table: 'nat', commands: inOrder(of('nat')) },
    { table: 'filter', commands: of('filter', true) },
    { table: 'mangle', commands: of('mangle') },
  ]
}

const isRemoval = ({ kind }: Command): boolean => kind === 'delete chain' || kind === 'delete rule'

/** Chains that are added may be committed before the rest, so each comes after those that it leads to. */
const inOrder = (commands: readonly Command[]): readonly Command[] => {
  const rank = ({ kind, chain }: Command): number =>
    kind === 'add chain' ? DEPENDENCIES.findIndex((start) => chain.startsWith(start)) : 99
  return [...commands].sort((a, b) => rank(a) - rank(b))
}

const DEPENDENCIES = ['KUBE-PROXY-CANARY', 'KUBE-MARK-', 'KUBE-POSTROUTING', 'KUBE-SEP-', 'KUBE-SV', 'KUBE-EXT-', 'KUBE-FW-']

/** What a step says of the kernel, in the words of its tools. */
export const driftOf = ({ table, command, drift, owner }: Step, tool: string): Drift => {
  const place = `${command.chain} in table ${table} of ${tool}`
  const what = 'rule' in command ? `rule ${command.rule} of chain ${place}` : `chain ${place}`
  return { kind: drift, what, ...(owner === undefined ? {} : { key: owner }) }
}
