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
  readonly chains: readonly string[]
  /** Without those of dynamic sets, which packets write. */
  readonly elements: readonly Element[]
}

/** nftables of one network namespace. */
export interface Nft {
  /** Why it cannot be used here and what to do, or undefined. Changes nothing. */
  probe(): Promise<string | undefined>
  /** Rejects with `HostError` and changes nothing when the kernel refuses any part. */
  commit(transaction: Transaction): Promise<void>
  /** Undefined when there is no such table. */
  readTable(table: Table): Promise<TableContents | undefined>
}
