import { HostError } from '../../host/index.ts'
import type { ElementSet } from './element-set.ts'

/** An nftables table; all else lives in one. */
export interface Table {
  readonly family: 'ip' | 'ip6'
  readonly name: string
}

/** A chain; without `hook` it is only reached by `goto` and `jump`. */
export interface Chain {
  readonly name: string
  readonly hook?: Hook
}

export interface Hook {
  readonly type: 'nat' | 'filter'
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'
  /** A number: nft 1.0.6 refuses `dstnat` on the output hook. */
  readonly priority: number
  /** What becomes of packets at the end of the chain; `accept` unless told. Only read back: chains are made with `accept`. */
  readonly policy?: 'drop'
}

/** A set, or with `data` a map. Types are nft's names (`ipv4_addr`, `inet_service`), several of them a concatenation. */
export interface NamedSet {
  readonly name: string
  readonly type: readonly string[]
  readonly data?: readonly string[]
  readonly flags?: readonly ('interval' | 'dynamic' | 'timeout')[]
  readonly size?: number
}

/** A member of a set, or of a map with `value`; in the canonical text that `readTable` gives too. */
export interface Element {
  readonly set: string
  readonly key: string
  readonly value?: string
}

/** One step of a transaction. */
export type Command =
  | { readonly kind: 'add table' }
  /** Also when there is none. */
  | { readonly kind: 'delete table' }
  | { readonly kind: 'add set'; readonly set: NamedSet }
  /** Keeps its rules when it is there. */
  | { readonly kind: 'add chain'; readonly chain: Chain }
  /** Replaces the rules of a chain. */
  | { readonly kind: 'set rules'; readonly chain: string; readonly rules: readonly string[] }
  /** With its rules. Fails where a rule or an element leads to it. */
  | { readonly kind: 'delete chain'; readonly chain: string }
  | { readonly kind: 'delete set'; readonly set: string; readonly isMap: boolean }
  | { readonly kind: 'add elements'; readonly elements: readonly Element[] }
  | { readonly kind: 'delete elements'; readonly elements: readonly Element[] }

/** Applied whole or not at all. */
export interface Transaction {
  readonly table: Table
  readonly commands: readonly Command[]
}

/** What a table holds. */
export interface TableContents {
  readonly sets: readonly NamedSet[]
  readonly chains: readonly LiveChain[]
  /** By set, without those of sets with timeouts, which packets write. */
  readonly elements: ReadonlyMap<string, ElementSet>
  /** `owner`: another process holds the table for itself, and the kernel refuses every change. `dormant`: its chains are out of use. */
  readonly flags?: readonly ('owner' | 'dormant')[]
}

/** A chain as it is in the kernel. */
export interface LiveChain extends Chain {
  /** The comment of each rule: {@link ruleMark} where `set rules` made it, other text or none where somebody else did. */
  readonly rules: readonly string[]
}

/** nftables of one network namespace. */
export interface Nft {
  /** Why it cannot be used here and what to do, or undefined. Changes nothing. */
  probe(): Promise<string | undefined>
  /** Rejects with `HostError`, or {@link RefusedElements} when the kernel says which, and has changed nothing then. */
  commit(transaction: Transaction): Promise<void>
  /** Undefined when there is no such table. Aborting `signal` ends it soon, with the signal's reason. */
  readTable(table: Table, signal?: AbortSignal): Promise<TableContents | undefined>
  /**
   * Calls `changed` soon after another process changed one of the tables, or may have, with who it was: several changes at once may be one
   * call. Ends with `signal`. False where that cannot be noticed here: with the tool alone.
   */
  watch(tables: readonly Table[], changed: (who: string) => void, signal: AbortSignal): boolean
  /** How many changes others made to the packet rules of the namespace, from some beginning; undefined where that cannot be told. */
  othersChanges(): Promise<number | undefined>
  /** Gives back what it holds of the kernel, after what is in work; a later call takes it again. */
  close(): Promise<void>
}

/** Elements that the kernel does not take. */
export interface Refusal {
  readonly element: Element
  /** `EEXIST`: it is there with another value, or overlaps; `ENOENT`: it, or the chain that it names, is not there. */
  readonly code: string
  readonly reason: string
}

/** The kernel refused elements, and so the whole change. */
export class RefusedElements extends HostError {
  readonly refusals: readonly Refusal[]

  constructor(table: Table, refusals: readonly Refusal[]) {
    const [first] = refusals
    const more = refusals.length > 1 ? ` (and ${refusals.length - 1} more)` : ''
    const what = first === undefined ? '' : `${elementText(first.element)} in ${tableText(table)}: ${first.reason}`
    super(`nft: ${what}${more}`, { code: first?.code ?? 'EINVAL', command: ['netlink', 'nft'] })
    this.refusals = refusals
  }
}

/** How messages name an element. */
export const elementText = ({ set, key, value }: Element): string =>
  value === undefined ? `element ${key} of set ${set}` : `element ${key} : ${value} of map ${set}`

/** How messages name a table. */
export const tableText = ({ family, name }: Table): string => `table ${family} ${name}`

/** The comment that marks a rule of ours: a hash of its text (FNV-1a), so that a rule in the kernel can be told from any other. */
export const ruleMark = (rule: string): string => {
  let hash = 0x811c_9dc5
  for (let index = 0; index < rule.length; index++) hash = Math.imul(hash ^ rule.charCodeAt(index), 0x0100_0193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
