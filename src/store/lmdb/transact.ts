import { statfsSync } from 'node:fs'
import { type Clock, errorMessage, type Logger } from '../../base/index.ts'
import { type ChangeBatch, type Revision, type Transaction, type TransactionResult, WriteFailedError } from '../store.ts'
import type { Compactor } from './compact.ts'
import { checkTransaction, type GroupPlan, planGroup } from './plan.ts'
import {
  encodeCurrent,
  encodeEvent,
  encodeKey,
  encodeRevision,
  encodeVersion,
  META,
  metaRevision,
  type Tables,
  versionKey,
} from './tables.ts'
import type { WatchHub } from './watch.ts'

export interface Writer {
  transact(transaction: Transaction): Promise<TransactionResult>
  /** Wakes the writer for compaction, when no transaction does. */
  wake(): void
  /** Refuses new transactions, resolves when those that wait are done. */
  close(): Promise<void>
}

export interface WriterOptions {
  readonly tables: Tables
  readonly path: string
  readonly hub: WatchHub
  readonly compactor: Compactor
  readonly clock: Clock
  readonly log: Logger
  /** Bytes that must stay free on the disk: below that, writes are refused before LMDB meets the full disk. */
  readonly reserveBytes: number
}

interface Waiting {
  readonly transaction: Transaction
  readonly bytes: number
  resolve(result: TransactionResult): void
  reject(error: unknown): void
}

/**
 * Group commit: while one group is being written and synced (on LMDB's thread), later transactions wait; together they
 * are the next group. There is never more than one group in flight, so conditions are checked against what is on disk.
 */
export const createWriter = (options: WriterOptions): Writer => {
  const { hub, compactor } = options
  const waiting: Waiting[] = []
  let running: Promise<void> | undefined
  let closed = false

  const run = async (): Promise<void> => {
    while (waiting.length > 0 || compactor.isDue(hub.revision)) {
      const written = await writeGroup(options, takeGroup(waiting))
      // A compaction that fails by itself is not tried again before the next write or the next look at the clock.
      if (!written && waiting.length === 0) break
    }
    running = undefined
  }
  const wake = (): void => {
    if (running === undefined) running = run()
  }
  return {
    transact: (transaction) =>
      new Promise((resolve, reject) => {
        if (closed) throw new Error('the store is closed')
        checkTransaction(transaction)
        waiting.push({ transaction, bytes: sizeOf(transaction), resolve, reject })
        wake()
      }),
    wake: () => {
      if (!closed) wake()
    },
    async close() {
      closed = true
      compactor.stop()
      await running
    },
  }
}

const sizeOf = (transaction: Transaction): number =>
  transaction.writes.reduce((sum, write) => sum + write.key.length + (write.type === 'put' ? write.value.length : 0), 0)

const MAX_GROUP_TRANSACTIONS = 1000
const MAX_GROUP_BYTES = 8 * 2 ** 20

const takeGroup = (waiting: Waiting[]): readonly Waiting[] => {
  let bytes = 0
  let count = 0
  for (const { bytes: size } of waiting) {
    bytes += size
    if (count > 0 && (bytes > MAX_GROUP_BYTES || count >= MAX_GROUP_TRANSACTIONS)) break
    count++
  }
  return waiting.splice(0, count)
}

/** Resolves with whether it was written; what fails is told to those who wait. */
const writeGroup = async (options: WriterOptions, group: readonly Waiting[]): Promise<boolean> => {
  const { hub } = options
  try {
    const plan = planGroup(
      options.tables,
      group.map(({ transaction }) => transaction),
      hub.revision,
    )
    await commit(options, plan)
    hub.publish(plan.batches)
    group.forEach((waiter, index) => {
      const result = plan.results[index]
      if (result !== undefined) waiter.resolve(result)
    })
    return true
  } catch (error) {
    for (const waiter of group) waiter.reject(error)
    options.compactor.fail(error)
    return false
  }
}

/** Resolves when the plan is on disk; rejects with `WriteFailedError` when nothing of it is. */
const commit = async (options: WriterOptions, plan: GroupPlan): Promise<void> => {
  const { tables, compactor, hub, clock } = options
  const bytes = plan.batches.reduce((sum, batch) => sum + bytesOf(batch), 0)
  refuseOnFullDisk(options, bytes)
  const compaction = compactor.nextSlice(hub.revision)
  if (plan.batches.length === 0 && compaction === undefined) return
  const timeMs = clock.now()
  try {
    await tables.root.batch(() => {
      for (const batch of plan.batches) putBatch(tables, batch, timeMs)
      if (plan.batches.length > 0) void tables.meta.put(META.revision, encodeRevision(plan.revision))
      compaction?.remove()
    })
  } catch (error) {
    throw await failure(options, error)
  }
  compaction?.done()
}

const putBatch = (tables: Tables, batch: ChangeBatch, timeMs: number): void => {
  const changes = batch.changes.map((change) => {
    const key = change.type === 'put' ? change.entry.key : change.key
    const keyBytes = encodeKey(key)
    const { previous } = change
    if (previous !== undefined)
      void tables.versions.put(versionKey(keyBytes, previous.modRevision), encodeVersion(previous, batch.revision))
    if (change.type === 'put') void tables.current.put(keyBytes, encodeCurrent(change.entry))
    else void tables.current.remove(keyBytes)
    return { type: change.type, key, previous: previous?.modRevision ?? 0 }
  })
  void tables.events.put(encodeRevision(batch.revision), encodeEvent({ timeMs, changes }))
}

const bytesOf = (batch: ChangeBatch): number =>
  batch.changes.reduce((sum, change) => {
    const value = change.type === 'put' ? change.entry.value.length : 0
    return sum + value + (change.previous?.value.length ?? 0)
  }, 0)

const PAGE_BYTES = 4096

/** A group may copy whole pages up to the roots of four trees for each row; twice its size and some pages is ample. */
const refuseOnFullDisk = ({ path, reserveBytes }: WriterOptions, bytes: number): void => {
  if (bytes === 0) return
  const free = freeBytes(path)
  if (free < reserveBytes + 2 * bytes + 16 * PAGE_BYTES) throw fullDisk(path, free)
}

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

const fullDisk = (path: string, free: number, options?: ErrorOptions): WriteFailedError =>
  new WriteFailedError(
    'full',
    `the disk of ${path} is full (${free} bytes free): the write was refused, earlier data is intact; free some space and try again`,
    options,
  )

/** LMDB's promise carries the true cause in a second promise, which must be handled, too. */
const failure = async ({ tables, path, hub, log }: WriterOptions, error: unknown): Promise<Error> => {
  const cause = await commitError(error)
  const free = freeBytes(path)
  log.error('store: a write failed', { path, cause: errorMessage(cause), freeBytes: free })
  const onDisk: Revision = metaRevision(tables, 'revision')
  if (onDisk !== hub.revision) {
    return new WriteFailedError(
      'failed',
      `the store at ${path} wrote revision ${onDisk}, but could not confirm it; restart to continue`,
      { cause },
    )
  }
  if (free < 64 * PAGE_BYTES) return fullDisk(path, free, { cause })
  return new WriteFailedError('failed', `the store at ${path} could not write: ${errorMessage(cause)}; earlier data is intact`, {
    cause,
  })
}

const commitError = async (error: unknown): Promise<unknown> => {
  if (!(error instanceof Error && 'commitError' in error)) return error
  try {
    await Promise.race([error.commitError, new Promise((resolve) => setImmediate(resolve))])
    return error
  } catch (cause) {
    return cause
  }
}
