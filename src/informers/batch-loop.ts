import { type Clock, createBackoff, errorMessage, type LogFields, type Logger, sleep } from '../base/index.ts'

/** What changed and is not worked on yet; what is added while a batch is in work makes the next one. */
export interface BatchQueue<B> {
  /** All that changed since the last time; undefined when nothing did. */
  take(): B | undefined
  /** Makes a batch that failed part of the next one. */
  giveBack(batch: B): void
  /** Resolves at the next addition, or at `wake`. */
  changed(): Promise<void>
  wake(): void
}

/** Tells when a batch loop has worked on everything that it knew of. */
export interface Progress {
  /** Resolves when all changes that are queued now are in the world; waits on while they fail. */
  settled(): Promise<void>
  /** For the loop: how it is woken to look at its queue. */
  attach(wake: () => void): void
  /** For the loop: nothing is queued and nothing in work. */
  idle(): void
}

export const createProgress = (): Progress => {
  const waiting: (() => void)[] = []
  let wake = (): void => {}
  return {
    settled: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        wake()
      }),
    attach(wakeLoop) {
      wake = wakeLoop
    },
    idle() {
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

export interface BatchLoopOptions<B> {
  readonly queue: BatchQueue<B>
  readonly progress?: Progress
  /** Nothing is worked on before: half of the world is not the world. */
  waitForSync(): Promise<unknown>
  /** Brings a batch into the world; what it throws is logged, and the batch comes again after a back-off. */
  reconcile(batch: B): Promise<void>
  /** Called when the first batch has been tried. */
  firstDone(): void
  /** How a failure is logged. */
  readonly failure: { readonly message: string; fields(batch: B): LogFields }
  readonly clock: Clock
  readonly log: Logger
}

/**
 * One batch after the other until `signal` aborts, for components whose changes only make sense together; controllers whose keys are
 * independent use `runController`. Rejects when `waitForSync` does.
 */
export const runBatches = async <B>(options: BatchLoopOptions<B>, signal: AbortSignal): Promise<void> => {
  const { queue, clock, log, failure } = options
  const backoff = createBackoff({ initialMs: 100, maxMs: 30_000, jitter: 0.2 })
  const wake = (): void => queue.wake()
  signal.addEventListener('abort', wake, { once: true })
  options.progress?.attach(wake)
  try {
    await options.waitForSync()
    while (!signal.aborted) {
      const batch = queue.take()
      if (batch === undefined) {
        options.progress?.idle()
        await queue.changed()
        continue
      }
      try {
        await options.reconcile(batch)
        backoff.reset()
        options.firstDone()
      } catch (error) {
        if (signal.aborted) break
        const retryMs = backoff.next()
        log.error(failure.message, { ...failure.fields(batch), error: errorMessage(error), retryMs })
        queue.giveBack(batch)
        options.firstDone()
        await sleep(clock, retryMs, signal)
      }
    }
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
