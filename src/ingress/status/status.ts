import { type Ingress, type IngressClass, ingressKind, isNotFound } from '../../api/index.ts'
import { type Clock, type Component, errorMessage, type Logger, type Running, sleep } from '../../base/index.ts'
import type { Client, Leadership } from '../../client/index.ts'
import { createWorkQueue, DONE, type Informer, type Outcome, runController, waitForSync } from '../../informers/index.ts'
import { type ClassConfig, keyOf, selectClass } from '../routes/index.ts'
import { split } from '../snapshot.ts'
import { desiredStatus, presentStatus, type StatusEntries, sameEntries } from './desired.ts'
import type { Published } from './published.ts'

export interface IngressStatusOptions {
  readonly client: Client
  readonly ingresses: Informer<Ingress>
  readonly ingressClasses: Informer<IngressClass>
  readonly classes: ClassConfig
  readonly published: Published
  /** Only the leader writes. */
  readonly leadership: Leadership
  /** Whether the addresses go when this process, as the leader, stops: at which nothing answers must not stay. Asked at the stop. */
  clearOnStop?(): boolean
  readonly clock: Clock
  readonly log: Logger
}

const WRITERS = 8
const CLEAR_TIMEOUT_MS = 5_000

/**
 * Keeps `status.loadBalancer` of our Ingresses as published, takes it out when one is another's, and writes nothing that is there already. Start it after whatever
 * elects the leader, so that it stops while this process still leads.
 */
export const createIngressStatus = (options: IngressStatusOptions): Component => ({
  name: 'ingress status',
  start: async (signal): Promise<Running> => ({ stopped: new StatusSync(options).run(signal) }),
})

class StatusSync {
  readonly #options: IngressStatusOptions
  /** What our Ingresses had in their status while they were ours, whoever wrote it. */
  readonly #seen = new Map<string, StatusEntries>()

  constructor(options: IngressStatusOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ingresses, ingressClasses, published, leadership, clock, log } = this.#options
    const queue = createWorkQueue({ clock })
    const addAll = (): void => {
      for (const ingress of ingresses.list()) queue.add(keyOf(ingress))
    }
    const synced = await waitForSync([ingresses, ingressClasses], signal).then(
      () => true,
      () => false,
    )
    if (!synced) return
    const stops = [
      ingresses.onChange(({ object }) => queue.add(keyOf(object))),
      ingressClasses.onChange(addAll),
      published.onChange(addAll),
      leadership.onChange((isLeader) => isLeader && addAll()),
    ]
    const reconcile = (key: string): Promise<Outcome> => this.#reconcile(key)
    await runController({ name: 'ingress status', queue, reconcile, workers: WRITERS, clock, log, signal })
    for (const stop of stops) stop()
    await this.#clear()
  }

  async #reconcile(key: string): Promise<Outcome> {
    const { ingresses, published, leadership } = this.#options
    const ingress = ingresses.get(...split(key))
    const entries = published.entries()
    if (ingress === undefined) this.#seen.delete(key)
    if (ingress === undefined || entries === undefined) return DONE
    const isOurs = this.#isOurs(ingress)
    const seen = this.#seen.get(key)
    const wanted = desiredStatus({ ingress, isOurs, published: entries, seen })
    if (wanted !== undefined && leadership.isLeader) await this.#write(ingress, wanted)
    if (isOurs) this.#seen.set(key, wanted !== undefined && leadership.isLeader ? wanted : presentStatus(ingress))
    // A follower keeps in mind what the leader may not live to take out.
    else if (wanted === undefined || leadership.isLeader) this.#seen.delete(key)
    return DONE
  }

  #isOurs(ingress: Ingress): boolean {
    return selectClass(ingress, this.#options.ingressClasses.list(), this.#options.classes).isOurs
  }

  /** Guarded by the version: what was decided of an Ingress holds for that one only. One that is gone needs no status. */
  async #write({ metadata }: Ingress, entries: StatusEntries): Promise<void> {
    const { namespace, name, resourceVersion } = metadata
    const loadBalancer = { ingress: entries.length === 0 ? null : entries }
    const value = { metadata: { resourceVersion }, status: { loadBalancer } }
    try {
      await this.#options.client.patch(
        ingressKind,
        { ...(namespace === undefined ? {} : { namespace }), name },
        { type: 'merge', value },
        { subresource: 'status' },
      )
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async #clear(): Promise<void> {
    const { ingresses, published, leadership, clearOnStop = () => true, clock, log } = this.#options
    if (!leadership.isLeader || published.entries() === undefined || !clearOnStop()) return
    const timeout = new AbortController()
    const clear = async (ingress: Ingress): Promise<void> => {
      try {
        if (this.#isPublished(ingress)) await this.#write(ingress, [])
      } catch (error) {
        log.debug('a status could not be cleared', { ingress: keyOf(ingress), error: errorMessage(error) })
      }
    }
    const cleared = inParallel(ingresses.list().map((ingress) => () => clear(ingress)))
    await Promise.race([cleared, sleep(clock, CLEAR_TIMEOUT_MS, timeout.signal)])
    timeout.abort()
  }

  #isPublished(ingress: Ingress): boolean {
    const present = presentStatus(ingress)
    const ours = [this.#options.published.entries(), this.#seen.get(keyOf(ingress))]
    return (
      this.#isOurs(ingress) &&
      present.length > 0 &&
      ours.some((entries) => entries !== undefined && sameEntries(present, entries))
    )
  }
}

const inParallel = async (writes: readonly (() => Promise<void>)[]): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let write = writes[next++]; write !== undefined; write = writes[next++]) await write()
  }
  await Promise.all(Array.from({ length: Math.min(WRITERS, writes.length) }, worker))
}
