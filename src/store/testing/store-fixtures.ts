import { afterEach } from 'vitest'
import { type PausedClock, pausedClock } from '../../base/testing/paused-clock.ts'
import type { ChangeBatch, Revision, Store, TransactionResult, Write } from '../store.ts'

/** How the suite gets stores; each is new and empty, and is closed by the suite. */
export interface StoreHarness {
  open(options: StoreTestOptions): Promise<Store>
}

interface StoreTestOptions {
  readonly clock: PausedClock
  readonly maxRevisions: number
  readonly maxAgeMs: number
  readonly maxBufferedChanges: number
}

export const MINUTE_MS = 60_000
const defaults = { maxRevisions: 100_000, maxAgeMs: 5 * MINUTE_MS, maxBufferedChanges: 1000 }

export const bytes = (text: string): Uint8Array => Buffer.from(text)
export const text = (value: Uint8Array): string => Buffer.from(value).toString()
export const put = (key: string, value: string): Write => ({ type: 'put', key, value: bytes(value) })
export const del = (key: string): Write => ({ type: 'delete', key })
export const write = (store: Store, ...writes: readonly Write[]) => store.transact({ conditions: [], writes })

export const committed = (result: TransactionResult): Revision => {
  if (!result.committed) throw new Error('expected the transaction to commit')
  return result.revision
}

export const keysAndValues = async (store: Store, prefix: string, atRevision?: Revision) =>
  (await store.range({ prefix, atRevision })).entries.map((entry) => [entry.key, text(entry.value)])

/** Reads the first `count` changes of a watch, as words. */
export const takeChanges = async (batches: AsyncIterable<ChangeBatch>, count: number): Promise<readonly string[]> => {
  const taken: string[] = []
  for await (const batch of batches) {
    taken.push(...wordsOf(batch))
    if (taken.length >= count) break
  }
  return taken
}

export const wordsOf = (batch: ChangeBatch): readonly string[] =>
  batch.changes.map((change) =>
    change.type === 'put'
      ? `${batch.revision} put ${change.entry.key}=${text(change.entry.value)} was ${change.previous ? text(change.previous.value) : 'absent'}`
      : `${batch.revision} delete ${change.key} was ${text(change.previous.value)}`,
  )

/** Opens stores of `harness` for the tests of a file, and closes them after each test. */
export const opener = (harness: StoreHarness): ((options?: Partial<StoreTestOptions>) => Promise<Store>) => {
  const opened: Store[] = []
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })
  return async (options = {}) => {
    const store = await harness.open({ clock: pausedClock(), ...defaults, ...options })
    opened.push(store)
    return store
  }
}
