/** Opens once, at the first complete list. */
export interface SyncGate {
  readonly synced: boolean
  open(): void
  /** Resolves when open; rejects when `signal` aborts before. */
  wait(signal: AbortSignal): Promise<void>
}

/** A closed gate; `what` names it in the error. */
export const createSyncGate = (what: string): SyncGate => {
  let synced = false
  const waiting = new Set<() => void>()
  return {
    get synced() {
      return synced
    },
    open() {
      synced = true
      for (const resolve of waiting) resolve()
      waiting.clear()
    },
    wait: (signal) =>
      new Promise((resolve, reject) => {
        if (synced) return resolve()
        const aborted = (): void => {
          waiting.delete(opened)
          reject(new Error(`stopped before the first complete list of ${what}`))
        }
        if (signal.aborted) return aborted()
        const opened = (): void => {
          signal.removeEventListener('abort', aborted)
          resolve()
        }
        waiting.add(opened)
        signal.addEventListener('abort', aborted, { once: true })
      }),
  }
}

/** Resolves when all caches had their first complete list; rejects when `signal` aborts before. */
export const waitForSync = async (
  informers: readonly { waitForSync(signal: AbortSignal): Promise<void> }[],
  signal: AbortSignal,
): Promise<void> => {
  await Promise.all(informers.map((informer) => informer.waitForSync(signal)))
}
