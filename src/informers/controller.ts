import { isConflict } from '../api/index.ts'
import { type Clock, errorMessage, type Logger } from '../base/index.ts'
import type { Outcome, WorkQueue } from './work-queue.ts'

export interface ControllerOptions {
  readonly name: string
  readonly queue: WorkQueue
  /** Brings the world to what `key` wants. A rejection means: try again with back-off. */
  reconcile(key: string, signal: AbortSignal): Promise<Outcome>
  /** How many keys are worked on at a time; 1 when left out. */
  readonly workers?: number
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Works off `queue` until `signal` aborts; resolves when the work in progress has ended. Never rejects. */
export const runController = async (options: ControllerOptions): Promise<void> => {
  const { queue, workers = 1, signal } = options
  const stop = (): void => queue.shutDown()
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  await Promise.all(Array.from({ length: workers }, () => work(options)))
  signal.removeEventListener('abort', stop)
}

const work = async ({ name, queue, reconcile, clock, log, signal }: ControllerOptions): Promise<void> => {
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    const startedAt = clock.monotonic()
    try {
      const outcome = await reconcile(key, signal)
      queue.forget(key)
      if (outcome.kind === 'again') queue.addAfter(key, outcome.afterMs)
      log.debug('reconciled', { controller: name, key, durationMs: Math.round(clock.monotonic() - startedAt) })
    } catch (error) {
      if (!signal.aborted) {
        // A conflict means that the cache is behind; the next round has the newer object.
        const level = isConflict(error) ? 'debug' : 'warn'
        log[level]('reconcile failed, trying again', { controller: name, key, error: errorMessage(error) })
        queue.addRateLimited(key)
      }
    } finally {
      queue.done(key)
    }
  }
}

/** Nothing more to do for this key until it changes. */
export const DONE: Outcome = { kind: 'done' }

/** Look at this key again in `afterMs`, also when nothing changes. */
export const again = (afterMs: number): Outcome => ({ kind: 'again', afterMs })
