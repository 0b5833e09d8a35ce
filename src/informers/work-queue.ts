import { type Backoff, type BackoffOptions, type Clock, createBackoff, type Timer } from '../base/index.ts'

/**
 * Keys that wait for work (client-go's workqueue): a key is queued at most once, is never worked on twice at the same
 * time, and is queued again when it was added during its own work.
 */
export interface WorkQueue {
  add(key: string): void
  /** Adds later; the earliest of several plans for a key counts, and `add` fulfils it. */
  addAfter(key: string, delayMs: number): void
  /** Adds with exponential back-off for this key. */
  addRateLimited(key: string): void
  /** Ends the back-off of this key. */
  forget(key: string): void
  /** The next key, or undefined when the queue is shut down. Call `done` after the work. */
  take(): Promise<string | undefined>
  done(key: string): void
  shutDown(): void
  /** Keys that wait to be taken now. */
  readonly length: number
}

/** What a reconciliation asks for next. */
export type Outcome = { readonly kind: 'done' } | { readonly kind: 'again'; readonly afterMs: number }

export interface WorkQueueOptions {
  readonly clock: Clock
  /** Of `addRateLimited`, for each key; 50 ms to 60 s when left out. */
  readonly backoff?: BackoffOptions
}

/** An empty queue. */
export const createWorkQueue = ({
  clock,
  backoff = { initialMs: 50, maxMs: 60_000, jitter: 0.1 },
}: WorkQueueOptions): WorkQueue => {
  const ready = new Set<string>()
  const working = new Set<string>()
  const dirty = new Set<string>()
  const delayed = new Map<string, { readonly due: number; readonly timer: Timer }>()
  const backoffs = new Map<string, Backoff>()
  const waiting: ((key: string | undefined) => void)[] = []
  let closed = false

  const hand = (key: string, taker: (key: string) => void): void => {
    working.add(key)
    taker(key)
  }
  const add = (key: string): void => {
    if (closed) return
    delayed.get(key)?.timer.cancel()
    delayed.delete(key)
    if (working.has(key)) {
      dirty.add(key)
      return
    }
    const taker = waiting.shift()
    if (taker) hand(key, taker)
    else ready.add(key)
  }
  const addAfter = (key: string, delayMs: number): void => {
    if (delayMs <= 0) add(key)
    if (closed || delayMs <= 0 || ready.has(key)) return
    const due = clock.monotonic() + delayMs
    const planned = delayed.get(key)
    if (planned && planned.due <= due) return
    planned?.timer.cancel()
    delayed.set(key, { due, timer: clock.setTimer(() => add(key), delayMs) })
  }
  return {
    add,
    addAfter,
    addRateLimited(key) {
      const own = backoffs.get(key) ?? createBackoff(backoff)
      backoffs.set(key, own)
      addAfter(key, own.next())
    },
    forget: (key) => void backoffs.delete(key),
    take: () =>
      new Promise((resolve) => {
        if (closed) return resolve(undefined)
        const [next] = ready
        if (next === undefined) {
          waiting.push(resolve)
          return
        }
        ready.delete(next)
        hand(next, resolve)
      }),
    done(key) {
      working.delete(key)
      if (dirty.delete(key)) add(key)
    },
    shutDown() {
      closed = true
      for (const { timer } of delayed.values()) timer.cancel()
      delayed.clear()
      ready.clear()
      dirty.clear()
      for (const resolve of waiting.splice(0)) resolve(undefined)
    },
    get length() {
      return ready.size
    },
  }
}
