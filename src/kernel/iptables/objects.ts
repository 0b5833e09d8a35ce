import type { IPFamily } from '../../ip/index.ts'
import type { Rule } from './rule.ts'

/** Which of the kernel's two engines holds the rules; the tools of one never see the rules of the other. */
export type Flavour = 'nft' | 'legacy'

export type TableName = 'nat' | 'filter' | 'mangle'

/** Whose rules are meant: those of one engine in one family. */
export interface Place {
  readonly flavour: Flavour
  readonly family: IPFamily
}

/** One step in a table. Rules are text as {@link renderRule} or {@link ReadRule} gives it. */
export type Command =
  /** One that is not there and that nothing leads to yet: it may be committed ahead of all else, which saves iptables-nft quadratic time. */
  | { readonly kind: 'add chain'; readonly chain: string; readonly rules: readonly string[] }
  /** Makes it, or replaces its rules. */
  | { readonly kind: 'set chain'; readonly chain: string; readonly rules: readonly string[] }
  /** With its rules; one that is not there is no error, one that rules still lead to is. */
  | { readonly kind: 'delete chain'; readonly chain: string }
  /** At the head of the chain. */
  | { readonly kind: 'insert rule'; readonly chain: string; readonly rule: string }
  | { readonly kind: 'append rule'; readonly chain: string; readonly rule: string }
  /** An error when there is none. */
  | { readonly kind: 'delete rule'; readonly chain: string; readonly rule: string }

/** What changes in one table: all of it or nothing, but for chains that are added. */
export interface TableChange {
  readonly table: TableName
  readonly commands: readonly Command[]
}

/** In this order; a table may come twice. One that is refused keeps those after it from being tried. */
export type Transaction = readonly TableChange[]

/** A rule as the kernel has it. */
export interface ReadRule {
  /** As `iptables-save` prints it, without its chain: what deletes it. */
  readonly text: string
  /** Undefined when it is of a form that we never write. */
  readonly rule: Rule | undefined
}

export interface ReadChain {
  readonly table: TableName
  readonly chain: string
  /** One of the kernel's own, such as `INPUT`. */
  readonly isBuiltIn: boolean
  readonly isOwned: boolean
  /** All rules of a chain that is owned; of others those that lead to one that is. */
  readonly rules: readonly ReadRule[]
}

export type Owns = (table: TableName, chain: string) => boolean

/** Which engine to use, and why; `without` says what keeps a family from being used. Or nothing works: what, and what now. */
export type Choice =
  | { readonly flavour: Flavour; readonly why: string; readonly without: Readonly<Partial<Record<IPFamily, string>>> }
  | { readonly obstacle: string }

/** iptables of one network namespace. */
export interface Iptables {
  /** Tries what the proxy needs in a chain that is removed again; without `wanted`, the flavour that is in use on this machine. */
  choose(wanted?: Flavour): Promise<Choice>
  /** The flavours whose tools are here. */
  available(): Promise<readonly Flavour[]>
  /** Rejects with `HostError`; the table that was refused is as it was. */
  restore(place: Place, transaction: Transaction): Promise<void>
  /** Owned chains, and others with rules that lead to them. Fails on output that it does not know, and with the signal's reason. */
  read(place: Place, owns: Owns, signal?: AbortSignal): Promise<readonly ReadChain[]>
  /** Whether a chain is there and holds rules; far cheaper than {@link Iptables.read}. */
  hasRules(place: Place, table: TableName, chain: string): Promise<boolean>
}
