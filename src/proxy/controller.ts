import type { EndpointSlice, Node, Service } from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import { type BatchQueue, type Informer, type Progress, runBatches } from '../informers/index.ts'
import { serviceOfSlice } from '../model/index.ts'

/** What changed since the last batch. */
export interface Batch {
  /** `namespace/name` of Services. */
  readonly keys: ReadonlySet<string>
  /** This node's object changed (or it is the first batch). */
  readonly nodeChanged: boolean
  /** `clock.monotonic()` of the first change in it. */
  readonly queuedAt: number
}

export interface ControllerOptions {
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  readonly nodes?: Informer<Node>
  readonly nodeName: string
  readonly clock: Clock
  readonly log: Logger
  /** Whether this node changed in what the rules see: a heartbeat must not cost a full computation. */
  nodeDiffers(): boolean
  /** What else of the node may change, beside its object; gives how to stop listening. */
  readonly onNodeChange?: (handler: () => void) => () => void
  /** What must be done again although nothing changed, by the names of Services; gives how to stop listening. */
  readonly onRetry?: (handler: (key: string) => void) => () => void
  readonly progress?: Progress
  /** Brings a batch into the world; what it throws is logged, and the batch comes again after a back-off. */
  reconcile(batch: Batch): Promise<void>
  /** Counts changes, for metrics. */
  observed?(kind: 'service' | 'endpoint'): void
}

/**
 * The queue of the proxy, without rules: nothing happens before both caches are complete; then every change is worked on at once, and
 * only changes that come while a batch is in work wait for each other. A level-triggered key costs the same however often it changed.
 */
export const runController = async (options: ControllerOptions, signal: AbortSignal, firstDone: () => void): Promise<void> => {
  const { services, slices, nodes, clock, log, reconcile } = options
  const queue = createPending(clock)
  const stopListening = subscribe(options, queue)
  const waitForSync = (): Promise<unknown> =>
    Promise.all([services.waitForSync(signal), slices.waitForSync(signal), nodes?.waitForSync(signal)])
  const failure = { message: 'proxy sync failed', fields: (batch: Batch) => ({ services: batch.keys.size }) }
  try {
    await runBatches({ queue, progress: options.progress, waitForSync, reconcile, firstDone, failure, clock, log }, signal)
  } finally {
    for (const stop of stopListening) stop()
  }
}

interface Pending extends BatchQueue<Batch> {
  add(key: string): void
  addNode(): void
}

const createPending = (clock: Clock): Pending => {
  let keys = new Set<string>()
  // The first batch is a full one, also when there is no Service at all: leftovers must go.
  let nodeChanged = true
  let queuedAt = clock.monotonic()
  let wake = (): void => {}
  const stamp = (): void => {
    if (keys.size === 0 && !nodeChanged) queuedAt = clock.monotonic()
  }
  return {
    add(key) {
      stamp()
      keys.add(key)
      wake()
    },
    addNode() {
      stamp()
      nodeChanged = true
      wake()
    },
    giveBack(batch) {
      queuedAt = batch.queuedAt
      nodeChanged ||= batch.nodeChanged
      for (const key of batch.keys) keys.add(key)
    },
    take() {
      if (keys.size === 0 && !nodeChanged) return undefined
      const batch = { keys, nodeChanged, queuedAt }
      keys = new Set()
      nodeChanged = false
      return batch
    },
    changed: () =>
      new Promise((resolve) => {
        wake = resolve
      }),
    wake: () => wake(),
  }
}

const subscribe = (options: ControllerOptions, pending: Pending): readonly (() => void)[] => {
  const { services, slices, nodes, nodeName, onNodeChange, onRetry } = options
  const lookAtNode = (): void => {
    if (options.nodeDiffers()) pending.addNode()
  }
  const addSlice = (slice: EndpointSlice): void => {
    const key = serviceOfSlice(slice)
    if (key !== undefined) pending.add(key)
  }
  return [
    services.onChange(({ object }) => {
      options.observed?.('service')
      pending.add(`${object.metadata.namespace ?? ''}/${object.metadata.name}`)
    }),
    slices.onChange((change) => {
      options.observed?.('endpoint')
      addSlice(change.object)
      // A slice that changes its label leaves one Service and joins another.
      if (change.type === 'updated') addSlice(change.previous)
    }),
    ...(nodes === undefined
      ? []
      : [
          nodes.onChange(({ object }) => {
            if (object.metadata.name === nodeName) lookAtNode()
          }),
        ]),
    ...(onNodeChange === undefined ? [] : [onNodeChange(lookAtNode)]),
    ...(onRetry === undefined ? [] : [onRetry(pending.add)]),
  ]
}
