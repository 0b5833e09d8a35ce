import { setMaxListeners } from 'node:events'
import type { Ingress, IngressClass } from '../api/index.ts'
import { type Clock, type Component, errorMessage, type Logger, type Running, realClock } from '../base/index.ts'
import type { EventRecorder } from '../client/index.ts'
import { createProgress } from '../informers/index.ts'
import type { Engine, RouteTable, TableDelta } from '../l7/index.ts'
import { type Batch, runController } from './controller.ts'
import { Defaults } from './defaults.ts'
import { type Explanation, explainUrl } from './explain.ts'
import { type Claims, type ClassConfig, CONTROLLER_NAME, keyOf, type RouteProblem, Routes, selectClass } from './routes/index.ts'
import { type IngressInformers, type ReferencedObjects, routeSources, split } from './snapshot.ts'

export interface IngressOptions extends IngressInformers, ReferencedObjects {
  /** Started and stopped by whoever made it: before `start`, or after it, so that it serves nothing without a table; it outlives this component. */
  readonly engine: Pick<Engine, 'update'>
  /** Which Ingresses are ours; `classConfig()` when left out. */
  readonly classes?: ClassConfig
  /** Secret (`namespace/name`) whose certificate hosts get that have none. */
  readonly defaultCertificate?: string
  /** ConfigMap (`namespace/name`) with defaults for all Ingresses, below those of their class. */
  readonly configMap?: string
  /** The port that clients use for https, for redirects; 443 when left out. */
  readonly httpsPort?: number
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly clock?: Clock
  readonly log: Logger
}

/** The Ingress controller: keeps the engine's table up to date. */
export interface IngressController extends Component {
  /** Which rule, Service and endpoints a request for this URL gets, and what lost and why; undefined when it is no http URL. */
  explain(url: string, headers?: readonly string[]): Explanation | undefined
  /** Resolves when every worker of the engine serves what the caches hold now. */
  settled(): Promise<void>
  /** The table as the engine has it. */
  readonly table: RouteTable
  /** What Ingresses asked for and do not get. */
  problems(): readonly RouteProblem[]
  /** Which of our Ingresses has a part in what; whole when `start` has resolved. */
  readonly claims: Claims
  /** Called when Ingresses of ours came, changed or went, and the engine has what follows; returns how to stop listening. */
  onClaims(handler: () => void): () => void
}

/** Creates the controller; `start` resolves when every worker of the engine serves the first table. */
export const createIngress = (options: IngressOptions): IngressController => {
  const sync = new IngressSync(options)
  return {
    name: 'ingress',
    settled: () => sync.progress.settled(),
    table: sync.routes.table,
    problems: () => sync.routes.standing(),
    claims: sync.routes.claims,
    onClaims(handler) {
      sync.listeners.add(handler)
      return () => void sync.listeners.delete(handler)
    },
    explain: (url, headers) =>
      explainUrl(url, { routes: sync.routes, ingresses: options.ingresses, decide: (ingress) => sync.decide(ingress) }, headers),
    start: (signal) => sync.start(signal),
  }
}

/** Whose Ingresses are ours: of classes of `fairway.dev/ingress`, or, without an IngressClass, annotated `fairway` or `nginx`. */
export const classConfig = (given: Partial<ClassConfig> = {}): ClassConfig => ({
  controllerName: given.controllerName ?? CONTROLLER_NAME,
  watchedClasses: given.watchedClasses ?? ['fairway', 'nginx'],
  ...(given.onlyClasses === undefined ? {} : { onlyClasses: given.onlyClasses }),
})

/** How long a table waits for Secrets that it is the first to refer to, while the server does not answer. */
const REFERENCES_TIMEOUT_MS = 5_000

class IngressSync {
  readonly routes = new Routes()
  readonly progress = createProgress()
  readonly listeners = new Set<() => void>()
  readonly #options: IngressOptions
  readonly #informers: IngressInformers
  readonly #classes: ClassConfig
  readonly #defaults: Defaults
  readonly #unsent: TableDelta[] = []

  constructor(options: IngressOptions) {
    this.#options = options
    const { ingresses, ingressClasses, services, slices, configMaps, configMap, recorder } = options
    this.#informers = { ingresses, ingressClasses, services, slices }
    this.#classes = options.classes ?? classConfig()
    this.#defaults = new Defaults({
      configMaps,
      ...(configMap === undefined ? {} : { configMap }),
      classOf: (ingress) => this.#classOf(ingress),
      tell: (ingressClass, problem) => recorder?.event(ingressClass, { type: 'Warning', ...problem }),
    })
    if (options.defaultCertificate !== undefined) this.routes.setDefaultCertificate(options.defaultCertificate)
  }

  decide(ingress: Ingress): ReturnType<typeof selectClass> {
    return selectClass(ingress, this.#informers.ingressClasses.list(), this.#classes)
  }

  #classOf(ingress: Ingress): IngressClass | undefined {
    const decision = this.decide(ingress)
    return decision.isOurs ? decision.ingressClass : undefined
  }

  #ourClasses(): readonly IngressClass[] {
    const { controllerName, onlyClasses } = this.#classes
    return this.#informers.ingressClasses
      .list()
      .filter(({ spec, metadata }) => spec.controller === controllerName && (onlyClasses?.includes(metadata.name) ?? true))
  }

  async start(signal: AbortSignal): Promise<Running> {
    let firstDone = (): void => {}
    const first = new Promise<void>((resolve) => {
      firstDone = resolve
    })
    const { log, clock = realClock, secrets, configMaps } = this.#options
    const reconcile = (batch: Batch): Promise<void> => this.#reconcile(batch, signal)
    const options = {
      informers: this.#informers,
      referenced: { secrets, configMaps },
      progress: this.progress,
      clock,
      log,
      reconcile,
    }
    const stopped = runController(options, signal, () => firstDone()).catch((error) => {
      // Aborted while it waited for the caches: that is a stop, not a failure.
      if (!signal.aborted) throw error
    })
    await Promise.race([first, stopped])
    return { stopped }
  }

  async #reconcile(batch: Batch, signal: AbortSignal): Promise<void> {
    const { engine, clock = realClock, log, secrets, configMaps, httpsPort } = this.#options
    const startedAt = clock.monotonic()
    const touched = this.#claim(batch)
    if (touched > 0) await this.#follow(signal)
    this.#defaults.check(this.#ourClasses())
    for (const key of batch.services) this.routes.serviceChanged(key)
    for (const key of batch.secrets) this.routes.secretChanged(key)
    for (const key of batch.configMaps) this.routes.configMapChanged(key)
    if (batch.configMaps.size > 0) {
      for (const ingress of this.#defaults.touchedBy(batch.configMaps, this.#claimed())) this.routes.setIngress(ingress)
    }
    const defaults = (ingress: Ingress) => this.#defaults.of(ingress)
    const sources = routeSources(
      { ...this.#informers, secrets, configMaps },
      { defaults, nowMs: clock.now(), ...(httpsPort === undefined ? {} : { httpsPort }) },
    )
    const { delta, problems } = this.routes.compile(sources)
    for (const problem of problems) this.#tell(problem)
    if (delta !== undefined) this.#unsent.push(delta)
    // A change that the engine did not take goes before the next one.
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      await engine.update(next)
      this.#unsent.shift()
    }
    if (touched > 0) for (const listener of [...this.listeners]) listener()
    log.debug('ingress synced', {
      ingresses: touched,
      hosts: delta?.hosts?.size ?? 0,
      backends: delta?.backends?.size ?? 0,
      certificates: delta?.certificates?.size ?? 0,
      durationMs: Math.round(clock.monotonic() - startedAt),
    })
  }

  /** Takes over and lets go of Ingresses; returns how many were looked at. */
  #claim(batch: Batch): number {
    const { ingresses } = this.#informers
    const keys = batch.classes
      ? new Set([...batch.ingresses, ...ingresses.list().map(keyOf), ...this.routes.claims.keys()])
      : batch.ingresses
    for (const key of keys) {
      const ingress = ingresses.get(...split(key))
      if (ingress === undefined || !this.decide(ingress).isOurs) this.routes.removeIngress(key)
      // A class that changed may have other settings.
      else if (batch.classes || this.routes.claims.get(key) !== ingress) this.routes.setIngress(ingress)
    }
    return batch.classes ? keys.size + 1 : keys.size
  }

  #claimed(): readonly Ingress[] {
    return this.routes.claims.keys().flatMap((key) => this.routes.claims.get(key) ?? [])
  }

  /** A table is compiled when what it newly refers to was read. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { secrets, configMaps, defaultCertificate, clock = realClock, log } = this.#options
    const { claims } = this.routes
    secrets.follow([...claims.referencedSecrets(), ...(defaultCertificate === undefined ? [] : [defaultCertificate])])
    configMaps.follow([...claims.referencedConfigMaps(), ...this.#defaults.references(this.#ourClasses())])
    const limit = new AbortController()
    const timer = clock.setTimer(() => limit.abort(), REFERENCES_TIMEOUT_MS)
    try {
      const either = AbortSignal.any([signal, limit.signal])
      // Each object that is referred to waits by it.
      setMaxListeners(0, either)
      await Promise.all([secrets.ready(either), configMaps.ready(either)])
    } catch (error) {
      if (!signal.aborted)
        log.warn('a Secret or ConfigMap was not read in time; its hosts go without', { error: errorMessage(error) })
    } finally {
      timer.cancel()
    }
  }

  #tell({ ingress: key, reason, message }: RouteProblem): void {
    const ingress = this.routes.claims.get(key)
    if (ingress !== undefined) this.#options.recorder?.event(ingress, { type: 'Warning', reason, message })
  }
}
