import type { Ingress } from '../api/index.ts'
import { type Clock, type Component, errorMessage, type Logger, type Running, realClock } from '../base/index.ts'
import type { Client, EventRecorder } from '../client/index.ts'
import { createProgress } from '../informers/index.ts'
import type { Engine, RouteTable, TableDelta } from '../l7/index.ts'
import { type Batch, runController } from './controller.ts'
import { type Explanation, explainUrl } from './explain.ts'
import { type ClassConfig, CONTROLLER_NAME, keyOf, type RouteProblem, Routes, selectClass } from './routes/index.ts'
import { type IngressInformers, routeSources, split } from './snapshot.ts'
import { desiredStatus, type StatusAddress, type StatusEntries, writeStatus } from './status.ts'

export interface IngressOptions extends IngressInformers {
  readonly client: Client
  /** Started and stopped by whoever made it; it must serve before `start` is called and outlive this component. */
  readonly engine: Pick<Engine, 'update'>
  /** `fairway.dev/ingress` when left out. */
  readonly controllerName?: string
  /** Values of the annotation `kubernetes.io/ingress.class` that are ours without an IngressClass: `fairway` and `nginx` when left out. */
  readonly watchedClasses?: readonly string[]
  /** What the status of our Ingresses says; none when left out. */
  readonly statusAddress?: StatusAddress
  /** Take the address out of the status when stopping; true when left out. */
  readonly clearStatusOnStop?: boolean
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly clock?: Clock
  readonly log: Logger
}

/** The Ingress controller: keeps the engine's table and the status of Ingresses up to date. */
export interface IngressController extends Component {
  /** Which rule, Service and endpoints a request for this URL gets, and what lost and why; undefined when it is no http URL. */
  explain(url: string): Explanation | undefined
  /** Resolves when every worker of the engine serves what the caches hold now. */
  settled(): Promise<void>
  /** The table as the engine has it. */
  readonly table: RouteTable
  /** What Ingresses asked for and do not get. */
  problems(): readonly RouteProblem[]
}

/** Creates the controller; `start` resolves when every worker of the engine serves the first table. */
export const createIngress = (options: IngressOptions): IngressController => {
  const sync = new IngressSync(options)
  return {
    name: 'ingress',
    settled: () => sync.progress.settled(),
    table: sync.routes.table,
    problems: () => sync.routes.standing(),
    explain: (url) =>
      explainUrl(url, { routes: sync.routes, ingresses: options.ingresses, decide: (ingress) => sync.decide(ingress) }),
    start: (signal) => sync.start(signal),
  }
}

const DEFAULT_CLASSES = ['fairway', 'nginx']
const STATUS_WRITERS = 8
const CLEAR_TIMEOUT_MS = 5_000

class IngressSync {
  readonly routes = new Routes()
  readonly progress = createProgress()
  readonly #options: IngressOptions
  readonly #informers: IngressInformers
  readonly #config: ClassConfig
  readonly #entries: StatusEntries
  /** Ingresses whose status is ours to keep. */
  readonly #claimed = new Set<string>()

  readonly #unsent: TableDelta[] = []

  constructor(options: IngressOptions) {
    this.#options = options
    const { ingresses, ingressClasses, services, slices, secrets } = options
    this.#informers = { ingresses, ingressClasses, services, slices, secrets }
    this.#config = {
      controllerName: options.controllerName ?? CONTROLLER_NAME,
      watchedClasses: options.watchedClasses ?? DEFAULT_CLASSES,
    }
    this.#entries = options.statusAddress === undefined ? [] : [options.statusAddress]
  }

  decide(ingress: Ingress): ReturnType<typeof selectClass> {
    return selectClass(ingress, this.#informers.ingressClasses.list(), this.#config)
  }

  async start(signal: AbortSignal): Promise<Running> {
    let firstDone = (): void => {}
    const first = new Promise<void>((resolve) => {
      firstDone = resolve
    })
    const { log, clock = realClock } = this.#options
    const reconcile = (batch: Batch): Promise<void> => this.#reconcile(batch)
    const ended = runController({ informers: this.#informers, progress: this.progress, clock, log, reconcile }, signal, () =>
      firstDone(),
    ).catch((error) => {
      // Aborted while it waited for the caches: that is a stop, not a failure.
      if (!signal.aborted) throw error
    })
    await Promise.race([first, ended])
    return { stopped: ended.then(() => this.#clearAll()) }
  }

  async #reconcile(batch: Batch): Promise<void> {
    const { engine, clock = realClock, log } = this.#options
    const startedAt = clock.monotonic()
    const touched = this.#claim(batch)
    for (const key of batch.services) this.routes.serviceChanged(key)
    for (const key of batch.secrets) this.routes.secretChanged(key)
    const { delta, problems } = this.routes.compile(routeSources(this.#informers, clock.now()))
    for (const problem of problems) this.#tell(problem)
    if (delta !== undefined) this.#unsent.push(delta)
    // A change that the engine did not take goes before the next one.
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      await engine.update(next)
      this.#unsent.shift()
    }
    await this.#writeStatuses(touched)
    log.debug('ingress synced', {
      ingresses: touched.length,
      hosts: delta?.hosts?.size ?? 0,
      backends: delta?.backends?.size ?? 0,
      certificates: delta?.certificates?.size ?? 0,
      durationMs: Math.round(clock.monotonic() - startedAt),
    })
  }

  /** Takes over and lets go of Ingresses; returns those whose status must be looked at. */
  #claim(batch: Batch): readonly string[] {
    const { ingresses } = this.#informers
    const keys = batch.classes
      ? new Set([...batch.ingresses, ...ingresses.list().map(keyOf), ...this.routes.claims.keys()])
      : batch.ingresses
    for (const key of keys) {
      const ingress = ingresses.get(...split(key))
      if (ingress === undefined || !this.decide(ingress).isOurs) this.routes.removeIngress(key)
      else if (this.routes.claims.get(key) !== ingress) this.routes.setIngress(ingress)
    }
    return [...keys]
  }

  #tell({ ingress: key, reason, message }: RouteProblem): void {
    const ingress = this.routes.claims.get(key)
    if (ingress !== undefined) this.#options.recorder?.event(ingress, { type: 'Warning', reason, message })
  }

  async #writeStatuses(keys: readonly string[]): Promise<void> {
    if (this.#entries.length === 0) return
    const writes: (() => Promise<void>)[] = []
    for (const key of keys) {
      const ingress = this.#informers.ingresses.get(...split(key))
      const isOurs = this.routes.claims.get(key) !== undefined
      if (ingress === undefined || (!isOurs && !this.#claimed.has(key))) {
        this.#claimed.delete(key)
        continue
      }
      const entries = desiredStatus(ingress, isOurs ? this.#entries : [])
      writes.push(async () => {
        if (entries !== undefined) await writeStatus(this.#options.client, key, entries)
        if (isOurs) this.#claimed.add(key)
        else this.#claimed.delete(key)
      })
    }
    await inParallel(writes)
  }

  /** On stop: an address at which nothing answers must not stay. */
  async #clearAll(): Promise<void> {
    const { client, log, clock = realClock, clearStatusOnStop = true } = this.#options
    if (!clearStatusOnStop || this.#claimed.size === 0) return
    const cleared = inParallel([...this.#claimed].map((key) => () => writeStatus(client, key, []))).catch((error: unknown) =>
      log.debug('status could not be cleared', { error: errorMessage(error) }),
    )
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, CLEAR_TIMEOUT_MS)
      void cleared.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}

const inParallel = async (writes: readonly (() => Promise<void>)[]): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let write = writes[next++]; write !== undefined; write = writes[next++]) await write()
  }
  await Promise.all(Array.from({ length: Math.min(STATUS_WRITERS, writes.length) }, worker))
}
