import { Registry } from 'prom-client'
import { type EndpointSlice, type KubeObject, type Node, nodeKind, type Service } from '../api/index.ts'
import type { Clock, Component, Logger, Running } from '../base/index.ts'
import type { EventRecorder, EventText } from '../client/index.ts'
import { createProgress, type Informer, type Progress } from '../informers/index.ts'
import type { Conntrack } from '../kernel/conntrack/index.ts'
import type { Forwarding, NodeView } from '../model/index.ts'
import { type Applier, type ApplyDeps, createApplier, type ServiceName, statusEvent } from './apply.ts'
import { type AuditOutcome, type Auditor, createAuditor, DEFAULT_AUDIT_INTERVAL_MS } from './audit.ts'
import type { Backend, FrontendStatus } from './backend.ts'
import { createFlowCleaner, createFlowMetrics } from './conntrack/index.ts'
import { type Batch, runController } from './controller.ts'
import { driftEvents } from './drift-events.ts'
import { type ExplainQuery, type Explanation, explain } from './explain.ts'
import { createLiveness, isNodeEligible, type Liveness, type ProxyHealth } from './health/liveness.ts'
import { createServiceHealthServers } from './health/service-health.ts'
import { createProxyMetrics, type ProxyMetrics } from './metrics.ts'
import { createObserver, type Observer } from './observe.ts'
import { createRetrier, type Retrier } from './retry.ts'
import { type NodeConfig, nodeView } from './snapshot.ts'

export interface ProxyOptions extends NodeConfig {
  /** Informers are started by whoever made them; the proxy waits until they are complete. */
  readonly services: Informer<Service>
  /** With the index `service` (`sliceIndexes` of src/model). */
  readonly slices: Informer<EndpointSlice>
  /** For this node's zone, pod ranges and addresses, where there are Node objects. */
  readonly nodes?: Informer<Node>
  /** What of the configuration follows the machine; the rest stays as it is given here. */
  readonly machine?: MachineSource
  readonly backend: Backend
  /** Removes stale flows for backends that are tracked by the kernel; what `openBackend` gave with the backend. */
  readonly conntrack?: Conntrack
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly registry?: Registry
  /** Between two audits; five minutes unless told, 0 audits only after a foreign change. */
  readonly auditIntervalMs?: number
}

/** A part of the node's configuration that changes while the proxy runs, such as the addresses that NodePorts are served on. */
export interface MachineSource {
  current(node: Node | undefined): Partial<NodeConfig>
  /** Calls `handler` when `current` may give something else; gives how to stop listening. */
  onChange(handler: () => void): () => void
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
  health(): ProxyHealth
  /** Somebody else changed what the backend keeps in the world: audit as soon as that has settled. */
  auditSoon(): void
  /** Where there is a registry. */
  readonly metrics: ProxyMetrics | undefined
}

export const createProxy = (options: ProxyOptions): Proxy => {
  const { backend, clock, registry, slices } = options
  const metrics = registry === undefined ? undefined : createProxyMetrics(registry, backend.mode)
  const liveness = createLiveness(clock)
  const health = createServiceHealthServers(liveness.isHealthy)
  const node = (): NodeView => {
    const object = nodeObject(options)
    return nodeView({ ...options, ...options.machine?.current(object) }, object)
  }
  const applier = createApplier({
    source: options,
    allKeys: () => options.services.list().map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`),
    node,
    backend,
    health,
    ...flowsOf(options),
    tell: (service, event) => tell(options, service, event),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
  })
  const observer = metrics && createObserver({ metrics, slices, noLocalEndpoints: applier.noLocalEndpoints, clock })
  const auditor = auditorOf(options, applier, observer)
  const retries = retriesOf(options, applier)
  const parts: Parts = { options, applier, observer, liveness, node, onRetry: retries.onRetry, progress: createProgress() }
  return {
    name: 'proxy',
    mode: backend.mode,
    metrics,
    settled: () => parts.progress.settled(),
    explain: (query) => {
      const { mode, trace } = backend
      return explain(
        { forwardings: applier.carried.values(), node: node(), exceptions: backend.exceptions(), mode, trace },
        query,
      )
    },
    forwardings: () => [...applier.carried.values()],
    exceptions: () => backend.exceptions(),
    isHealthy: liveness.isHealthy,
    health: () => {
      const lastUpdated = liveness.lastUpdated()
      return {
        isHealthy: liveness.isHealthy(),
        isStarting: liveness.isStarting(),
        isNodeEligible: isNodeEligible(nodeObject(options)),
        ...(lastUpdated === undefined ? {} : { lastUpdated }),
      }
    },
    auditSoon: auditor.soon,
    async start(signal) {
      const running = await backend.start(signal, (status) => {
        told(options, status)
        retries.retrier.told(status)
      })
      const { first, ended } = control(parts, signal)
      const background = [auditor.run(signal), retries.retrier.run(signal)]
      await first
      const stopped = Promise.all([running.stopped, ended, ...background]).then(() => health.close())
      return { stopped } satisfies Running
    },
  }
}

const flowsOf = ({ backend, conntrack, clock, log, registry = new Registry() }: ProxyOptions): Pick<ApplyDeps, 'flows'> => {
  if (conntrack === undefined || !backend.supports.has('TracksFlows')) return {}
  return { flows: createFlowCleaner({ conntrack, clock, log, metrics: createFlowMetrics(registry) }) }
}

const nodeObject = ({ nodes, nodeName }: ProxyOptions): Node | undefined => nodes?.get(undefined, nodeName)

interface Parts {
  readonly progress: Progress
  readonly options: ProxyOptions
  readonly applier: Applier
  readonly observer: Observer | undefined
  readonly liveness: Liveness
  readonly node: () => NodeView
  readonly onRetry: (handler: (key: string) => void) => () => void
}

/** `first` resolves with the first sync (also one that failed and will be repeated), `ended` when the controller has stopped. */
const control = (parts: Parts, signal: AbortSignal): { readonly first: Promise<void>; readonly ended: Promise<void> } => {
  const { options, observer } = parts
  let firstDone = (): void => {}
  let seen = ''
  const ended = new Promise<void>((resolve, reject) => {
    const { services, slices, nodes, nodeName, clock, log, machine } = options
    const controller = {
      services,
      slices,
      progress: parts.progress,
      onRetry: parts.onRetry,
      ...(nodes === undefined ? {} : { nodes }),
      ...(machine === undefined ? {} : { onNodeChange: machine.onChange }),
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
      ...(observer === undefined ? {} : { observed: observer.changed }),
    }
    // Aborted while it waited for the caches: that is a stop, not a failure.
    runController(controller, signal, () => firstDone()).then(resolve, (error) => (signal.aborted ? resolve() : reject(error)))
  })
  const done = new Promise<void>((resolve) => {
    firstDone = resolve
  })
  return { first: Promise.race([done, ended]), ended }
}

const reconcile = async ({ options, applier, observer, liveness }: Parts, batch: Batch): Promise<void> => {
  const { clock, log } = options
  const startedAt = clock.monotonic()
  liveness.queued(batch.queuedAt)
  const observed = observer?.syncing(batch.queuedAt)
  try {
    const report = await applier.reconcile(batch)
    liveness.succeeded()
    observed?.(report)
    const seconds = (clock.monotonic() - startedAt) / 1_000
    log.debug('proxy synced', { services: report.services, set: report.set.length, deleted: report.deleted.length, seconds })
  } catch (error) {
    observed?.()
    throw error
  }
}

const retriesOf = (
  { backend, clock }: ProxyOptions,
  applier: Applier,
): Pick<Parts, 'onRetry'> & { readonly retrier: Retrier } => {
  let again = (_service: string): void => {}
  return {
    onRetry(handler) {
      again = handler
      return () => {
        again = () => {}
      }
    },
    retrier: createRetrier({
      exceptions: backend.exceptions,
      isRefusal: (status) => statusEvent(status)?.reason === 'FailedToProgram',
      retry: (keys) => {
        for (const service of applier.tellAgain(keys)) again(service)
      },
      clock,
    }),
  }
}

const auditorOf = (options: ProxyOptions, applier: Applier, observer: Observer | undefined): Auditor => {
  const { clock, log, auditIntervalMs: intervalMs = DEFAULT_AUDIT_INTERVAL_MS } = options
  const report = (outcome: AuditOutcome): void => {
    observer?.audited(outcome)
    const { drift, seconds } = outcome
    log.debug('proxy audited', { drift: drift.length, seconds })
    if (drift.length === 0) return
    log.warn('the world differed from the intent and was repaired', { drift: drift.length, first: drift.slice(0, 3), seconds })
    for (const { service, event } of driftEvents(drift, (key) => applier.carried.get(key))) {
      if (service === undefined) options.recorder?.event(nodeObject(options) ?? unknownNode(options.nodeName), event)
      else tell(options, service, event)
    }
  }
  return createAuditor({ intervalMs, audit: applier.audit, report, clock, log })
}

/** Enough to point an Event at. */
const unknownNode = (name: string): KubeObject => ({ apiVersion: 'v1', kind: nodeKind.kind, metadata: { name } })

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
