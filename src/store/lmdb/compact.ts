import type { Clock, Timer } from '../../base/index.ts'
import type { Revision } from '../store.ts'
import { decodeEvent, decodeRevision, encodeKey, encodeRevision, META, metaRevision, type Tables, versionKey } from './tables.ts'

export interface CompactionLimits {
  /** The history keeps at most about this many revisions. */
  readonly maxRevisions: number
  /** ... and none older than this. */
  readonly maxAgeMs: number
}

/** Decides what of the history goes, and removes it in slices that ride on other commits: small and often, never a stall. */
export interface Compactor {
  readonly compacted: Revision
  isDue(latest: Revision): boolean
  /** The next few revisions to forget; undefined when nothing is due. */
  nextSlice(latest: Revision): CompactionSlice | undefined
  /** Forgets everything below `revision`; resolves when it is on disk. */
  request(revision: Revision): Promise<void>
  /** Every few seconds looks whether the oldest history is too old, and calls `wake` when it is. */
  start(wake: () => void): void
  /** Tells those who wait for `request` that it could not be done now. */
  fail(error: unknown): void
  stop(): void
}

interface CompactionSlice {
  /** Called inside the write batch. */
  remove(): void
  /** Called when the batch is on disk. */
  done(): void
}

const SLICE_REVISIONS = 128
const CHECK_INTERVAL_MS = 5_000

export const createCompactor = (tables: Tables, clock: Clock, limits: CompactionLimits): Compactor => {
  let compacted = metaRevision(tables, 'compacted')
  let target = compacted
  let timer: Timer | undefined
  let stopped = false
  const requests: { readonly revision: Revision; resolve(): void; reject(error: unknown): void }[] = []

  const raiseTarget = (latest: Revision): void => {
    // A slice is spared, so that a full history is not compacted one revision at a time.
    if (latest - compacted > limits.maxRevisions + SLICE_REVISIONS) target = Math.max(target, latest - limits.maxRevisions)
  }
  const settle = (): void => {
    for (const request of requests.splice(0)) {
      if (request.revision <= compacted) request.resolve()
      else requests.push(request)
    }
  }
  const fail = (error: unknown): void => {
    for (const request of requests.splice(0)) request.reject(error)
  }
  const schedule = (wake: () => void): void => {
    timer = clock.setTimer(() => {
      target = Math.max(target, lastOlderThan(tables, clock.now() - limits.maxAgeMs, SLICE_REVISIONS * 8))
      if (target > compacted) wake()
      schedule(wake)
    }, CHECK_INTERVAL_MS)
  }
  return {
    get compacted() {
      return compacted
    },
    isDue(latest) {
      raiseTarget(latest)
      return !stopped && target > compacted
    },
    nextSlice(latest) {
      raiseTarget(latest)
      if (target <= compacted) return undefined
      const upTo = Math.min(target, compacted + SLICE_REVISIONS)
      return {
        remove: () => removeHistory(tables, compacted, upTo),
        done: () => {
          compacted = upTo
          settle()
        },
      }
    },
    request(revision) {
      if (revision <= compacted) return Promise.resolve()
      target = Math.max(target, revision)
      return new Promise((resolve, reject) => requests.push({ revision, resolve, reject }))
    },
    start: schedule,
    fail,
    stop() {
      stopped = true
      timer?.cancel()
      fail(new Error('the store is closed'))
    },
  }
}

/** Of the first `most` revisions in the history, the last one that was written before `timeMs`; 0 when there is none. */
const lastOlderThan = (tables: Tables, timeMs: number, most: number): Revision => {
  let last = 0
  for (const { key, value } of tables.events.getRange({ limit: most })) {
    if (decodeEvent(value).timeMs >= timeMs) break
    last = decodeRevision(key)
  }
  return last
}

/** Removes the events above `from` up to `upTo`, and the versions that they ended: nobody may ask for those any more. */
const removeHistory = (tables: Tables, from: Revision, upTo: Revision): void => {
  for (const { key, value } of tables.events.getRange({ start: encodeRevision(from + 1), end: encodeRevision(upTo + 1) })) {
    for (const change of decodeEvent(value).changes) {
      if (change.previous > 0) void tables.versions.remove(versionKey(encodeKey(change.key), change.previous))
    }
    void tables.events.remove(key)
  }
  void tables.meta.put(META.compacted, encodeRevision(upTo))
}
