import type { Registry } from 'prom-client'
import type { EndpointSlice, Node, Service } from '../api/index.ts'
import type { Clock, Component, Logger, Running } from '../base/index.ts'
import type { EventRecorder, EventText } from '../client/index.ts'
import { createProgress, type Informer, type Progress } from '../informers/index.ts'
import type { Forwarding, NodeView } from '../model/index.ts'
import { type Applier, createApplier, type ServiceName, type SyncReport, statusEvent } from './apply.ts'
import type { Backend, FrontendStatus } from './backend.ts'
import { type Batch, runController } from './controller.ts'
import { type ExplainQuery, type Explanation, explain } from './explain.ts'
import { createServiceHealthServers } from './health/service-health.ts'
import { createProxyMetrics, type ProxyMetrics } from './metrics.ts'
import { type NodeConfig, nodeView } from './snapshot.ts'

export interface ProxyOptions extends NodeConfig {
  /** Informers are started by whoever made them; the proxy waits until they are complete. */
  readonly services: Informer<Service>
  /** With the index `service` (`sliceIndexes` of src/model). */
  readonly slices: Informer<EndpointSlice>
  /** For this node's zone, pod ranges and addresses, where there are Node objects. */
  readonly nodes?: Informer<Node>
  readonly backend: Backend
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly registry?: Registry
}

/** The Service proxy of one node. */
export interface Proxy extends Component {
  readonly mode: string
  /** What would happen to a connection and why; undefined when the address isn't one. */
  explain(query: ExplainQuery): Explanation | undefined
  /** What the backend carries now. */
  forwardings(): readonly Forwarding[]
  /** Frontends that are served on a substitute port or not at all. */
  exceptions(): readonly FrontendStatus[]
  /** Resolves when every change that the caches hold now carries traffic. */
  settled(): Promise<void>
  /** Whether the last sync succeeded, and nothing waits for longer than a minute. */
  isHealthy(): boolean
}

export const createProxy = (options: ProxyOptions): Proxy => {
  const { backend, clock } = options
  const metrics = options.registry === undefined ? undefined : createProxyMetrics(options.registry)
  const liveness = createLiveness(clock)
  const health = createServiceHealthServers(liveness.isHealthy)
  const node = (): NodeView => nodeView(options, options.nodes?.get(undefined, options.nodeName))
  const applier = createApplier({
    source: options,
    allKeys: () => options.services.list().map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`),
    node,
    backend,
    health,
    tell: (service, event) => tell(options, service, event),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
  })
  const progress = createProgress()
  return {
    name: 'proxy',
    mode: backend.mode,
    settled: () => progress.settled(),
    explain: (query) => explain({ forwardings: applier.carried.values(), node: node(), exceptions: backend.exceptions() }, query),
    forwardings: () => [...applier.carried.values()],
    exceptions: () => backend.exceptions(),
    isHealthy: liveness.isHealthy,
    async start(signal) {
      const running = await backend.start(signal, (status) => told(options, status))
      const { first, ended } = control({ options, applier, metrics, liveness, node, progress }, signal)
      await first
      const stopped = Promise.all([running.stopped, ended]).then(() => health.close())
      return { stopped } satisfies Running
    },
  }
}

interface Parts {
  readonly progress: Progress
  readonly options: ProxyOptions
  readonly applier: Applier
  readonly metrics: ProxyMetrics | undefined
  readonly liveness: Liveness
  readonly node: () => NodeView
}

/** `first` resolves with the first sync (also one that failed and will be repeated), `ended` when the controller has stopped. */
const control = (parts: Parts, signal: AbortSignal): { readonly first: Promise<void>; readonly ended: Promise<void> } => {
  const { options, metrics } = parts
  let firstDone = (): void => {}
  let seen = ''
  const ended = new Promise<void>((resolve, reject) => {
    const { services, slices, nodes, nodeName, clock, log } = options
    const controller = {
      services,
      slices,
      progress: parts.progress,
      ...(nodes === undefined ? {} : { nodes }),
      nodeName,
      clock,
      log,
      nodeDiffers: () => {
        const now = JSON.stringify(parts.node())
        const differs = now !== seen
        seen = now
        return differs
      },
      reconcile: (batch: Batch) => reconcile(parts, batch),
      observed: (kind: 'service' | 'endpoint') =>
        (kind === 'service' ? metrics?.serviceChanges : metrics?.endpointChanges)?.inc(),
    }
    // Aborted while it waited for the caches: that is a stop, not a failure.
    runController(controller, signal, () => firstDone()).then(resolve, (error) => (signal.aborted ? resolve() : reject(error)))
  })
  const done = new Promise<void>((resolve) => {
    firstDone = resolve
  })
  return { first: Promise.race([done, ended]), ended }
}

const reconcile = async ({ options, applier, metrics, liveness }: Parts, batch: Batch): Promise<void> => {
  const { clock, log } = options
  const startedAt = clock.monotonic()
  liveness.queued(batch.queuedAt)
  metrics?.lastQueued.set((clock.now() - (startedAt - batch.queuedAt)) / 1_000)
  try {
    const report = await applier.reconcile(batch)
    liveness.succeeded()
    const seconds = (clock.monotonic() - startedAt) / 1_000
    if (metrics !== undefined) observe({ metrics, options, applier }, { report, seconds })
    log.debug('proxy synced', { services: report.services, set: report.set.length, deleted: report.deleted.length, seconds })
  } catch (error) {
    metrics?.syncFailures.inc()
    throw error
  }
}

const observe = (
  { metrics, options, applier }: { readonly metrics: ProxyMetrics; readonly options: ProxyOptions; readonly applier: Applier },
  { report, seconds }: { readonly report: SyncReport; readonly seconds: number },
): void => {
  metrics.syncDuration.observe(seconds)
  const duration = report.full ? metrics.fullSyncDuration : metrics.partialSyncDuration
  duration.observe(seconds)
  metrics.lastSync.set(options.clock.now() / 1_000)
  const { internal, external } = applier.noLocalEndpoints()
  metrics.noLocalEndpoints.set({ traffic_policy: 'internal' }, internal)
  metrics.noLocalEndpoints.set({ traffic_policy: 'external' }, external)
  if (report.full) return
  for (const { namespace, name } of report.set) {
    const triggered = lastTrigger(options.slices.byIndex('service', `${namespace}/${name}`))
    if (triggered !== undefined) metrics.programmingDuration.observe(Math.max(0, options.clock.now() - triggered) / 1_000)
  }
}

const TRIGGER_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

/** When the newest of the changes that the slices tell of happened. */
const lastTrigger = (slices: readonly EndpointSlice[]): number | undefined => {
  const times = slices
    .map(({ metadata }) => Date.parse(metadata.annotations?.[TRIGGER_ANNOTATION] ?? ''))
    .filter((time) => Number.isFinite(time))
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b))
}

const told = (options: ProxyOptions, status: FrontendStatus): void => {
  const event = statusEvent(status)
  if (event === undefined) return
  const { reason, message } = event
  options.log.warn('frontend is not served as asked', { service: `${status.namespace}/${status.name}`, reason, detail: message })
  tell(options, status, event)
}

/** Nothing is told about a Service that is gone. */
const tell = ({ services, recorder }: ProxyOptions, { namespace, name }: ServiceName, event: EventText): void => {
  const service = services.get(namespace, name)
  if (service !== undefined) recorder?.event(service, event)
}

interface Liveness {
  queued(at: number): void
  succeeded(): void
  readonly isHealthy: () => boolean
}

const STALE_MS = 60_000

/** As kube-proxy's healthz: healthy while no change waits for too long; unhealthy before the first sync. */
const createLiveness = (clock: Clock): Liveness => {
  let oldestWaiting: number | undefined
  let hasSynced = false
  return {
    queued(at) {
      oldestWaiting = at
    },
    succeeded() {
      oldestWaiting = undefined
      hasSynced = true
    },
    isHealthy: () => hasSynced && (oldestWaiting === undefined || clock.monotonic() - oldestWaiting < STALE_MS),
  }
}
