import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export interface ServerMetrics {
  request(labels: RequestLabels, seconds: number): void
  readonly registry: Registry
}

interface RequestLabels {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly code: number
}

const LABELS = ['verb', 'group', 'version', 'resource', 'subresource'] as const

/** The server's metrics, under the names that Kubernetes' API server gives them. `watchers` and `inFlight` are read when asked for. */
export const createServerMetrics = (
  registry: Registry,
  read: {
    readonly watchers: () => number
    readonly inFlight: () => number
    readonly storageObjects: () => ReadonlyMap<string, number>
  },
): ServerMetrics => {
  const total = new Counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, resource and HTTP code',
    labelNames: [...LABELS, 'code'],
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Time from the request to the end of its answer, without watches',
    labelNames: LABELS,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  })
  gauge(registry, 'apiserver_longrunning_requests', 'Watches and log streams that are open', read.watchers)
  gauge(registry, 'apiserver_current_inflight_requests', 'Requests that are being answered, without watches', read.inFlight)
  new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Objects that are stored, by resource',
    labelNames: ['resource'],
    registers: [registry],
    collect() {
      for (const [resource, count] of read.storageObjects()) this.set({ resource }, count)
    },
  })
  return {
    registry,
    request({ code, ...labels }, seconds) {
      total.inc({ ...labels, code })
      if (labels.verb !== 'watch') duration.observe(labels, seconds)
    },
  }
}

const gauge = (registry: Registry, name: string, help: string, read: () => number): void => {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read())
    },
  })
}
