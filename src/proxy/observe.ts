import type { EndpointSlice } from '../api/index.ts'
import type { Clock } from '../base/index.ts'
import type { Lister } from '../informers/index.ts'
import type { SyncReport } from './apply.ts'
import type { AuditOutcome } from './audit.ts'
import type { ProxyMetrics } from './metrics.ts'

/** Turns what the proxy does into its metrics. */
export interface Observer {
  changed(kind: 'service' | 'endpoint'): void
  /** A sync begins; call the result when it has ended, with its report unless it failed. */
  syncing(queuedAt: number): (report?: SyncReport) => void
  audited(outcome: AuditOutcome): void
}

export interface ObserverOptions {
  readonly metrics: ProxyMetrics
  readonly slices: Lister<EndpointSlice>
  readonly noLocalEndpoints: () => { readonly internal: number; readonly external: number }
  readonly clock: Clock
}

export const createObserver = (options: ObserverOptions): Observer => {
  const { metrics, clock } = options
  const pending = { service: 0, endpoint: 0 }
  const showPending = (): void => {
    metrics.serviceChangesPending.set(pending.service)
    metrics.endpointChangesPending.set(pending.endpoint)
  }
  return {
    changed(kind) {
      const total = kind === 'service' ? metrics.serviceChanges : metrics.endpointChanges
      total.inc()
      pending[kind]++
      showPending()
    },
    syncing(queuedAt) {
      const startedAt = clock.monotonic()
      const included = { ...pending }
      metrics.lastQueued.set((clock.now() - (startedAt - queuedAt)) / 1_000)
      return (report) => {
        if (report === undefined) return metrics.syncFailures.inc()
        pending.service -= included.service
        pending.endpoint -= included.endpoint
        showPending()
        synced(options, report, (clock.monotonic() - startedAt) / 1_000)
      }
    },
    audited({ result, drift, seconds }) {
      metrics.audits.inc({ result })
      metrics.auditDuration.observe(seconds)
      for (const { kind } of drift) metrics.drift.inc({ kind })
    },
  }
}

const synced = ({ metrics, slices, noLocalEndpoints, clock }: ObserverOptions, report: SyncReport, seconds: number): void => {
  metrics.syncDuration.observe(seconds)
  const duration = report.full ? metrics.fullSyncDuration : metrics.partialSyncDuration
  duration.observe(seconds)
  metrics.lastSync.set(clock.now() / 1_000)
  const { internal, external } = noLocalEndpoints()
  metrics.noLocalEndpoints.set({ traffic_policy: 'internal' }, internal)
  metrics.noLocalEndpoints.set({ traffic_policy: 'external' }, external)
  if (report.full) return
  for (const { namespace, name } of report.set) {
    const triggered = lastTrigger(slices.byIndex('service', `${namespace}/${name}`))
    if (triggered !== undefined) metrics.programmingDuration.observe(Math.max(0, clock.now() - triggered) / 1_000)
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
