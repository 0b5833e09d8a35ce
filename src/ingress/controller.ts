import type { EndpointSlice } from '../api/index.ts'
import type { Clock, Logger } from '../base/index.ts'
import { type BatchQueue, type Progress, runBatches } from '../informers/index.ts'
import { serviceOfSlice } from '../model/index.ts'
import { keyOf } from './routes/index.ts'
import type { IngressInformers, ReferencedObjects } from './snapshot.ts'

/** What changed since the last batch, as `namespace/name`. */
export interface Batch {
  readonly ingresses: ReadonlySet<string>
  readonly services: ReadonlySet<string>
  readonly secrets: ReadonlySet<string>
  readonly configMaps: ReadonlySet<string>
  /** Classes decide whose Ingresses are; any change asks for all of them. */
  readonly classes: boolean
}

export interface ControllerOptions {
  readonly informers: IngressInformers
  readonly referenced: ReferencedObjects
  readonly clock: Clock
  readonly log: Logger
  readonly progress?: Progress
  /** Brings a batch into the world; what it throws is logged, and the batch comes again after a back-off. */
  reconcile(batch: Batch): Promise<void>
}

/**
 * The queue of the Ingress, without rules: nothing happens before every cache is complete (a table of half the Services would
 * answer 503); then each change is worked on at once, and changes that come meanwhile make one batch.
 */
export const runController = async (options: ControllerOptions, signal: AbortSignal, firstDone: () => void): Promise<void> => {
  const { informers, progress, clock, log, reconcile } = options
  const queue = new Pending()
  const stopListening = subscribe(informers, options.referenced, queue)
  const waitForSync = async (): Promise<void> => {
    await Promise.all(Object.values(informers).map((informer) => informer.waitForSync(signal)))
    queue.begin()
  }
  const failure = { message: 'ingress sync failed', fields: (batch: Batch) => ({ ingresses: batch.ingresses.size }) }
  try {
    await runBatches({ queue, progress, waitForSync, reconcile, firstDone, failure, clock, log }, signal)
  } finally {
    for (const stop of stopListening) stop()
  }
}

class Pending implements BatchQueue<Batch> {
  #ingresses = new Set<string>()
  #services = new Set<string>()
  #secrets = new Set<string>()
  #configMaps = new Set<string>()
  #classes = false
  #wake = (): void => {}

  /** The first batch comes also when there is nothing: the engine must have a table. */
  begin(): void {
    this.#classes = true
  }

  addIngress(key: string): void {
    this.#ingresses.add(key)
    this.#wake()
  }

  addService(key: string): void {
    this.#services.add(key)
    this.#wake()
  }

  addSecret(key: string): void {
    this.#secrets.add(key)
    this.#wake()
  }

  addConfigMap(key: string): void {
    this.#configMaps.add(key)
    this.#wake()
  }

  addClasses(): void {
    this.#classes = true
    this.#wake()
  }

  giveBack(batch: Batch): void {
    for (const key of batch.ingresses) this.#ingresses.add(key)
    for (const key of batch.services) this.#services.add(key)
    for (const key of batch.secrets) this.#secrets.add(key)
    for (const key of batch.configMaps) this.#configMaps.add(key)
    this.#classes ||= batch.classes
  }

  take(): Batch | undefined {
    const batch = {
      ingresses: this.#ingresses,
      services: this.#services,
      secrets: this.#secrets,
      configMaps: this.#configMaps,
      classes: this.#classes,
    }
    const { ingresses, services, secrets, configMaps, classes } = batch
    if (ingresses.size + services.size + secrets.size + configMaps.size === 0 && !classes) return undefined
    this.#ingresses = new Set()
    this.#services = new Set()
    this.#secrets = new Set()
    this.#configMaps = new Set()
    this.#classes = false
    return batch
  }

  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  wake(): void {
    this.#wake()
  }
}

const subscribe = (
  informers: IngressInformers,
  { secrets, configMaps }: ReferencedObjects,
  pending: Pending,
): readonly (() => void)[] => {
  const addSlice = (slice: EndpointSlice): void => {
    const key = serviceOfSlice(slice)
    if (key !== undefined) pending.addService(key)
  }
  return [
    informers.ingresses.onChange(({ object }) => pending.addIngress(keyOf(object))),
    informers.ingressClasses.onChange(() => pending.addClasses()),
    informers.services.onChange(({ object }) => pending.addService(keyOf(object))),
    secrets.onChange(({ object }) => pending.addSecret(keyOf(object))),
    secrets.onRefusal((key) => pending.addSecret(key)),
    configMaps.onChange(({ object }) => pending.addConfigMap(keyOf(object))),
    configMaps.onRefusal((key) => pending.addConfigMap(key)),
    informers.slices.onChange((change) => {
      addSlice(change.object)
      // A slice that changes its label leaves one Service and joins another.
      if (change.type === 'updated') addSlice(change.previous)
    }),
  ]
}
