import { setMaxListeners } from 'node:events'
import type { ApiError, Kind, KubeObject } from '../../api/index.ts'
import { aborted, type Clock, type Logger, type Running } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { type Cache, createCache } from '../cache.ts'
import { createFanOut, type FanOut } from '../fan-out.ts'
import type { Informer, Lister } from '../informer.ts'
import { runReflector } from '../reflector.ts'
import { createSyncGate, type SyncGate } from '../sync-gate.ts'

/**
 * A cache of the objects that somebody refers to by name, and of no others: for Secrets, of which nobody should read more than that. Each has a watch of its own,
 * which a Role with `resourceNames` allows; one that is refused harms no other.
 */
export interface ReferencedInformer<T extends KubeObject> extends Pick<Informer<T>, 'get' | 'list' | 'onChange' | 'start'> {
  /** From now on exactly these (`namespace/name`) are followed; those that were already are not read anew. */
  follow(keys: Iterable<string>): void
  /** Resolves when each of those that are followed now was read, was not there, or was refused; rejects when `signal` aborts before. */
  ready(signal: AbortSignal): Promise<void>
  /** Why an object may not be read; undefined when it may, or is known from before. */
  refusal(key: string): string | undefined
  /** Called when a refusal begins or ends; returns how to stop listening. */
  onRefusal(handler: (key: string) => void): () => void
}

export interface ReferencedInformerOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly clock: Clock
  readonly log: Logger
  readonly random?: () => number
}

/** An informer that reads nothing until it is started and told what to follow. */
export const createReferencedInformer = <T extends KubeObject>(options: ReferencedInformerOptions<T>): ReferencedInformer<T> => {
  const followed = new Followed(options)
  return {
    get: followed.lister.get,
    list: followed.lister.list,
    onChange: followed.onChange,
    follow: (keys) => followed.follow(keys),
    ready: (signal) => followed.ready(signal),
    refusal: (key) => followed.refusal(key),
    onRefusal: (handler) => followed.onRefusal(handler),
    start: async (signal) => followed.start(signal),
  }
}

/** For those whose cache has every object anyway: nothing is followed, everything is there. */
export const followEverything = <T extends KubeObject>(informer: Informer<T>): ReferencedInformer<T> => ({
  get: informer.get,
  list: informer.list,
  onChange: informer.onChange,
  start: async (signal) => ({ stopped: aborted(signal) }),
  follow: () => {},
  ready: informer.waitForSync,
  refusal: () => undefined,
  onRefusal: () => () => {},
})

interface Reference {
  readonly abort: AbortController
  readonly gate: SyncGate
  refusal: string | undefined
  stopped: Promise<void>
}

class Followed<T extends KubeObject> {
  readonly lister: Lister<T>
  readonly onChange: Informer<T>['onChange']
  readonly #options: ReferencedInformerOptions<T>
  readonly #log: Logger
  readonly #cache: Cache<T>
  readonly #fanOut: FanOut<T>
  readonly #references = new Map<string, Reference>()
  readonly #handlers = new Set<(key: string) => void>()
  readonly #ending = new Set<Promise<void>>()
  #signal: AbortSignal | undefined

  constructor(options: ReferencedInformerOptions<T>) {
    this.#options = options
    this.#log = options.log.child({ informer: options.kind.plural })
    this.#cache = createCache<T>({}, this.#log)
    this.#fanOut = createFanOut(this.#cache, this.#log)
    this.lister = this.#cache
    this.onChange = this.#fanOut.add
  }

  start(signal: AbortSignal): Running {
    if (this.#signal !== undefined) throw new Error(`the informer of ${this.#options.kind.plural} was started already`)
    this.#signal = signal
    setMaxListeners(0, signal)
    for (const [key, reference] of this.#references) this.#run(key, reference)
    return { stopped: aborted(signal).then(() => this.#stopAll()) }
  }

  follow(keys: Iterable<string>): void {
    const wanted = new Set(keys)
    for (const [key, reference] of this.#references) if (!wanted.has(key)) this.#leave(key, reference)
    for (const key of wanted) {
      if (this.#references.has(key)) continue
      const gate = createSyncGate(`${this.#options.kind.kind} ${key}`)
      const reference = { abort: new AbortController(), gate, refusal: undefined, stopped: Promise.resolve() }
      this.#references.set(key, reference)
      this.#run(key, reference)
    }
  }

  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#references.values()].map(({ gate }) => gate.wait(signal)))
  }

  refusal(key: string): string | undefined {
    return this.#references.get(key)?.refusal
  }

  onRefusal(handler: (key: string) => void): () => void {
    this.#handlers.add(handler)
    return () => void this.#handlers.delete(handler)
  }

  #run(key: string, reference: Reference): void {
    if (this.#signal === undefined || this.#signal.aborted) return
    const { client, kind, clock, random } = this.#options
    const [namespace, name] = split(key)
    reference.stopped = runReflector<T>({
      client,
      kind,
      selection: { namespace, fieldSelector: `metadata.name=${name}` },
      target: {
        replace: (objects) => this.#read(key, reference, objects[0]),
        apply: ({ type, object }) => this.#apply(reference, type, object),
      },
      onRefusal: (error) => this.#refused(key, reference, error),
      clock,
      log: this.#log,
      signal: reference.abort.signal,
      ...(random === undefined ? {} : { random }),
    })
  }

  #apply({ abort }: Reference, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    if (abort.signal.aborted) return
    this.#fanOut.publish(type === 'DELETED' ? this.#cache.remove(object) : this.#cache.set(object))
  }

  #read(key: string, reference: Reference, object: T | undefined): void {
    if (reference.abort.signal.aborted) return
    const wasRefused = reference.refusal !== undefined
    reference.refusal = undefined
    if (object !== undefined) this.#fanOut.publish(this.#cache.set(object))
    else this.#forget(key)
    reference.gate.open()
    if (wasRefused) this.#tell(key)
  }

  #refused(key: string, reference: Reference, { message }: ApiError): void {
    const before = reference.refusal
    // What was read before is good until somebody says otherwise.
    if (this.#cache.get(...split(key)) === undefined) reference.refusal = message
    reference.gate.open()
    if (before !== reference.refusal) this.#tell(key)
  }

  #tell(key: string): void {
    for (const handler of [...this.#handlers]) handler(key)
  }

  #leave(key: string, reference: Reference): void {
    this.#references.delete(key)
    reference.abort.abort()
    reference.gate.open()
    const ending = reference.stopped.finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
    this.#forget(key)
  }

  #forget(key: string): void {
    const object = this.#cache.get(...split(key))
    if (object !== undefined) this.#fanOut.publish(this.#cache.remove(object))
  }

  async #stopAll(): Promise<void> {
    for (const { abort } of this.#references.values()) abort.abort()
    await Promise.all([...this.#ending, ...[...this.#references.values()].map(({ stopped }) => stopped)])
  }
}

const split = (key: string): [namespace: string, name: string] => {
  const slash = key.indexOf('/')
  return [key.slice(0, slash), key.slice(slash + 1)]
}
