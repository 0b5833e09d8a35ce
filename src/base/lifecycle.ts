import { setMaxListeners } from 'node:events'
import type { Running } from './component.ts'
import { errorMessage } from './errors.ts'
import type { Logger } from './logger.ts'

/** Something startable: a component, or a server with more to tell once it runs. */
export interface Startable<R extends Running> {
  readonly name: string
  start(signal: AbortSignal): Promise<R>
}

/** Starts things in order and stops them in the opposite one, each only after those that need it are gone. */
export interface Lifecycle {
  start<R extends Running>(startable: Startable<R>): Promise<R>
  /** Stops everything, last started first; what fails to stop is logged and does not keep the rest. */
  stop(): Promise<void>
  /** Resolves with the reason when something that was started ends by itself. */
  readonly failed: Promise<Error>
}

export const createLifecycle = (log: Logger): Lifecycle => {
  const started: { readonly name: string; readonly abort: AbortController; readonly running: Running }[] = []
  let report: (error: Error) => void = () => {}
  const failed = new Promise<Error>((resolve) => {
    report = resolve
  })
  return {
    failed,
    async start(startable) {
      const abort = new AbortController()
      // One listener for each thing that a component runs: not a leak.
      setMaxListeners(0, abort.signal)
      const running = await startable.start(abort.signal)
      started.push({ name: startable.name, abort, running })
      running.stopped.then(
        () => {
          if (!abort.signal.aborted) report(new Error(`${startable.name} stopped by itself`))
        },
        (cause: unknown) => {
          log.error('component failed', { component: startable.name, error: errorMessage(cause) })
          report(new Error(`${startable.name} failed: ${errorMessage(cause)}`, { cause }))
        },
      )
      return running
    },
    async stop() {
      for (const { name, abort, running } of started.splice(0).reverse()) {
        abort.abort()
        await running.stopped.catch((error: unknown) =>
          log.error('component did not stop cleanly', { component: name, error: errorMessage(error) }),
        )
      }
    },
  }
}
