import type { KubeObject } from '../api/index.ts'
import type { BackoffOptions, Clock, Component, Logger } from '../base/index.ts'
import { createWorkQueue, type Informer, type Outcome, runController, type WorkQueue, waitForSync } from '../informers/index.ts'

export interface LoopOptions {
  readonly name: string
  /** Caches that must be complete before the first decision: an empty cache is not an empty world. */
  readonly informers: readonly Pick<Informer<KubeObject>, 'waitForSync'>[]
  /** Subscribes to changes and queues keys; returns how to stop. */
  watch(queue: WorkQueue): readonly (() => void)[]
  reconcile(key: string, signal: AbortSignal): Promise<Outcome>
  readonly workers?: number
  readonly backoff?: BackoffOptions
  readonly clock: Clock
  readonly log: Logger
}

/** The life of a controller: wait for the caches, watch them, work off the queue, stop. */
export const createLoop = (options: LoopOptions): Component => ({
  name: options.name,
  start: async (signal) => ({ stopped: run(options, signal) }),
})

const run = async (
  { name, informers, watch, reconcile, workers, backoff, clock, log }: LoopOptions,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await waitForSync(informers, signal)
  } catch {
    return
  }
  const queue = createWorkQueue({ clock, ...(backoff ? { backoff } : {}) })
  const subscriptions = watch(queue)
  await runController({
    name,
    queue,
    reconcile,
    clock,
    log,
    signal,
    ...(workers ? { workers } : {}),
  })
  for (const unsubscribe of subscriptions) unsubscribe()
}

/** `namespace/name`, or the name alone. */
export const keyOf = ({ metadata }: { readonly metadata: { readonly namespace?: string; readonly name: string } }): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`

/** The namespace and name of a key. */
export const parseKey = (key: string): { readonly namespace: string; readonly name: string } => {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, Math.max(0, slash)), name: key.slice(slash + 1) }
}
