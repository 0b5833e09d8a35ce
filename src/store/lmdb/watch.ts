import { type ChangeBatch, CompactedError, type Entry, type Revision, type StoreChange, TooSlowError } from '../store.ts'
import {
  type ChangeRecord,
  decodeCurrent,
  decodeEvent,
  decodeRevision,
  decodeVersion,
  encodeKey,
  encodeRevision,
  metaRevision,
  type Snapshot,
  type Tables,
  versionKey,
  withSnapshot,
} from './tables.ts'

/** Tells watchers what was committed. */
export interface WatchHub {
  /** The latest revision that was published. */
  readonly revision: Revision
  publish(batches: readonly ChangeBatch[]): void
  watch(prefix: string, afterRevision: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch>
  /** Ends all watches with an error. */
  close(): void
}

export interface WatchLimits {
  /** A watcher that lags this many changes behind is cut off. */
  readonly maxBufferedChanges: number
}

export const createWatchHub = (tables: Tables, limits: WatchLimits): WatchHub => {
  /** Watchers of the same prefix share the filtering. */
  const byPrefix = new Map<string, Set<Watcher>>()
  let revision = metaRevision(tables, 'revision')
  let closed = false
  const publishOne = (batch: ChangeBatch): void => {
    revision = batch.revision
    for (const [prefix, watchers] of byPrefix) {
      const filtered = filterBatch(batch, prefix)
      if (filtered !== undefined) for (const watcher of watchers) watcher.push(filtered)
    }
  }
  const join = (prefix: string, watcher: Watcher): (() => void) => {
    const watchers = byPrefix.get(prefix) ?? new Set()
    byPrefix.set(prefix, watchers.add(watcher))
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0 && byPrefix.get(prefix) === watchers) byPrefix.delete(prefix)
    }
  }
  async function* watch(prefix: string, afterRevision: Revision, signal: AbortSignal): AsyncGenerator<ChangeBatch> {
    const compacted = metaRevision(tables, 'compacted')
    if (afterRevision < compacted) throw new CompactedError(compacted)
    let position = afterRevision
    while (position < revision) {
      if (signal.aborted) return
      if (closed) throw closedError()
      const page = readHistory(tables, { prefix, after: position, upTo: revision })
      for (const batch of page.batches) {
        yield batch
        if (signal.aborted) return
      }
      position = page.position
    }
    // From here to `join` nothing is awaited, so that nothing is published in between.
    if (closed) throw closedError()
    const watcher = createWatcher(position, limits, signal)
    const leave = join(prefix, watcher)
    try {
      yield* watcher.batches()
    } finally {
      leave()
      watcher.end()
    }
  }
  return {
    get revision() {
      return revision
    },
    publish: (batches) => {
      for (const batch of batches) publishOne(batch)
    },
    watch,
    close() {
      closed = true
      for (const watchers of byPrefix.values()) for (const watcher of [...watchers]) watcher.fail(closedError())
      byPrefix.clear()
    },
  }
}

const closedError = (): Error => new Error('the store is closed')

const keyOfChange = (change: StoreChange): string => (change.type === 'put' ? change.entry.key : change.key)

const filterBatch = (batch: ChangeBatch, prefix: string): ChangeBatch | undefined => {
  const changes = batch.changes.filter((change) => keyOfChange(change).startsWith(prefix))
  if (changes.length === 0) return undefined
  return changes.length === batch.changes.length ? batch : { revision: batch.revision, changes }
}

interface Watcher {
  push(batch: ChangeBatch): void
  fail(error: Error): void
  end(): void
  batches(): AsyncGenerator<ChangeBatch>
}

const createWatcher = (afterRevision: Revision, limits: WatchLimits, signal: AbortSignal): Watcher => {
  let buffer: ChangeBatch[] = []
  let buffered = 0
  let failure: Error | undefined
  let wake: (() => void) | undefined
  const notify = (): void => {
    wake?.()
    wake = undefined
  }
  const fail = (error: Error): void => {
    failure = error
    buffer = []
    notify()
  }
  signal.addEventListener('abort', notify, { once: true })
  return {
    push(batch) {
      if (failure !== undefined || batch.revision <= afterRevision) return
      buffered += batch.changes.length
      if (buffered > limits.maxBufferedChanges) {
        fail(new TooSlowError(`the watcher was ${buffered} changes behind at revision ${batch.revision}`))
        return
      }
      buffer.push(batch)
      notify()
    },
    fail,
    end: () => signal.removeEventListener('abort', notify),
    async *batches() {
      while (!signal.aborted) {
        if (failure !== undefined) throw failure
        const ready = buffer
        if (ready.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        buffer = []
        for (const batch of ready) {
          if (signal.aborted) return
          if (failure !== undefined) throw failure
          buffered -= batch.changes.length
          yield batch
        }
      }
    },
  }
}

const PAGE_REVISIONS = 256

interface HistoryQuery {
  readonly prefix: string
  readonly after: Revision
  readonly upTo: Revision
}

/** A page of the history; throws `TooSlowError` when compaction has overtaken the reader. */
const readHistory = (
  tables: Tables,
  { prefix, after, upTo }: HistoryQuery,
): { batches: readonly ChangeBatch[]; position: Revision } =>
  withSnapshot(tables, (snapshot) => {
    if (after < metaRevision(tables, 'compacted', snapshot)) {
      throw new TooSlowError(`the watcher was overtaken by compaction at revision ${after}`)
    }
    const last = Math.min(upTo, after + PAGE_REVISIONS)
    const batches: ChangeBatch[] = []
    const bounds = { start: encodeRevision(after + 1), end: encodeRevision(last + 1), transaction: snapshot }
    for (const { key, value } of tables.events.getRange(bounds)) {
      const records = decodeEvent(value).changes.filter((record) => record.key.startsWith(prefix))
      if (records.length === 0) continue
      const revision = decodeRevision(key)
      batches.push({ revision, changes: records.map((record) => restoreChange(tables, { record, revision, snapshot })) })
    }
    return { batches, position: last }
  })

interface RecordAt {
  readonly record: ChangeRecord
  readonly revision: Revision
  readonly snapshot: Snapshot
}

const restoreChange = (tables: Tables, { record, revision, snapshot }: RecordAt): StoreChange => {
  const { key } = record
  const previous = record.previous === 0 ? undefined : entryAt(tables, { key, modRevision: record.previous, snapshot })
  if (record.type === 'put') return { type: 'put', entry: entryAt(tables, { key, modRevision: revision, snapshot }), previous }
  if (previous === undefined) throw new Error(`store: revision ${revision} deletes ${key}, which did not exist`)
  return { type: 'delete', key, previous, revision }
}

/** The entry of a key as one revision wrote it. */
const entryAt = (
  tables: Tables,
  { key, modRevision, snapshot }: { readonly key: string; readonly modRevision: Revision; readonly snapshot: Snapshot },
): Entry => {
  const keyBytes = encodeKey(key)
  const oldKey = versionKey(keyBytes, modRevision)
  const old = tables.versions.get(oldKey, { transaction: snapshot })
  if (old !== undefined) return decodeVersion(oldKey, old).entry
  const present = tables.current.get(keyBytes, { transaction: snapshot })
  const entry = present === undefined ? undefined : decodeCurrent(key, present)
  if (entry?.modRevision !== modRevision) throw new Error(`store: ${key} of revision ${modRevision} is missing from the history`)
  return entry
}
