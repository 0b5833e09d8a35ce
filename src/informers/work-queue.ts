/**
 * Keys that wait for work (client-go's workqueue): a key is queued at most once, is never worked on twice at the same
 * time, and is queued again when it was added during its own work.
 */
export interface WorkQueue {
  add(key: string): void
  addAfter(key: string, delayMs: number): void
  /** Adds with exponential back-off for this key. */
  addRateLimited(key: string): void
  /** Ends the back-off of this key. */
  forget(key: string): void
  /** The next key, or undefined when the queue is shut down. Call `done` after the work. */
  take(): Promise<string | undefined>
  done(key: string): void
  shutDown(): void
  readonly length: number
}

/** What a reconciliation asks for next. */
export type Outcome = { readonly kind: 'done' } | { readonly kind: 'again'; readonly afterMs: number }
