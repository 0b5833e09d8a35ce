/**
 * Keys and values with one global revision (the model of etcd v3). Every acknowledged write is on disk.
 * All writes of one transaction share one revision; revisions grow by one for each transaction that writes.
 */
export interface Store {
  /** The latest revision; 0 when nothing was ever written. */
  readonly revision: Revision
  get(key: string): Promise<Entry | undefined>
  /** Entries in key order, read at one revision. Rejects with `CompactedError` when `atRevision` is gone. */
  range(query: RangeQuery): Promise<RangeResult>
  /** Writes all or, when a condition fails, nothing. */
  transact(transaction: Transaction): Promise<TransactionResult>
  /**
   * Changes of keys under `prefix` with a revision above `afterRevision`, in order, one batch for each transaction,
   * with no gap; then the following ones as they are committed, until `signal` aborts.
   * Throws `CompactedError` when `afterRevision` is below the compacted one, `TooSlowError` when the reader falls too far behind.
   */
  watch(prefix: string, afterRevision: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch>
  /** Forgets the history below `revision`; present entries stay. */
  compact(revision: Revision): Promise<void>
  /** Flushes and closes; later calls reject. */
  close(): Promise<void>
}

/** A safe integer; the store counts from 1. */
export type Revision = number

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  readonly createRevision: Revision
  readonly modRevision: Revision
}

export interface RangeQuery {
  readonly prefix: string
  /** Only keys after this one. */
  readonly startAfter?: string
  readonly limit?: number
  /** Read as of this revision instead of the latest. */
  readonly atRevision?: Revision
}

export interface RangeResult {
  readonly entries: readonly Entry[]
  readonly revision: Revision
  /** Keys under the prefix after the last one returned; undefined when there are none. */
  readonly remaining?: number
}

export interface Transaction {
  readonly conditions: readonly Condition[]
  readonly writes: readonly Write[]
}

/** `modRevision` 0 means that the key must not exist. */
export interface Condition {
  readonly key: string
  readonly modRevision: Revision
}

export type Write =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string }

export type TransactionResult =
  | { readonly committed: true; readonly revision: Revision }
  | { readonly committed: false; readonly failed: readonly { readonly key: string; readonly entry: Entry | undefined }[] }

/** The changes of one transaction. */
export interface ChangeBatch {
  readonly revision: Revision
  readonly changes: readonly StoreChange[]
}

export type StoreChange =
  | { readonly type: 'put'; readonly entry: Entry; readonly previous: Entry | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly previous: Entry; readonly revision: Revision }

/** The revision asked for is no longer in the history. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError'
  readonly compactedRevision: Revision
  constructor(compactedRevision: Revision) {
    super(`the requested revision is compacted; the oldest one is ${compactedRevision}`)
    this.compactedRevision = compactedRevision
  }
}

/** A watcher did not read fast enough and was cut off; start again from its last revision. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/** A write could not be made durable: nothing of it is stored, earlier data is intact, and reads go on. */
export class WriteFailedError extends Error {
  override readonly name = 'WriteFailedError'
  /** `full`: no space on the disk. */
  readonly reason: 'full' | 'failed'
  constructor(reason: 'full' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}
