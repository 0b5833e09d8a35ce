import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/**
 * kube-proxy's metrics under its names (`kubeproxy_`), as far as they make sense here, and our own (`fairway_proxy_`). Both families are one sync,
 * so none has the label `ip_family`; those of the flows, which have it, are in conntrack/.
 */
export interface ProxyMetrics {
  readonly syncDuration: Histogram
  readonly fullSyncDuration: Histogram
  readonly partialSyncDuration: Histogram
  readonly programmingDuration: Histogram
  readonly lastSync: Gauge
  readonly lastQueued: Gauge
  readonly serviceChanges: Counter
  readonly endpointChanges: Counter
  readonly serviceChangesPending: Gauge
  readonly endpointChangesPending: Gauge
  readonly noLocalEndpoints: Gauge<'traffic_policy'>
  readonly syncFailures: Counter
  readonly healthz: Counter<'code'>
  readonly livez: Counter<'code'>
  readonly audits: Counter<'result'>
  readonly auditDuration: Histogram
  readonly drift: Counter<'kind'>
}

/** 1 ms doubling 15 times, as kube-proxy. */
const SYNC_BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index)
const PROGRAMMING_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 30, 45, 60, 120, 300]

/** Where kube-proxy counts failed syncs of a mode. */
const FAILURES: Readonly<Record<string, string>> = {
  nftables: 'kubeproxy_sync_proxy_rules_nftables_sync_failures_total',
  iptables: 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total',
}

/** Registers all of them; throws when the registry has some already. */
export const createProxyMetrics = (registry: Registry, mode: string): ProxyMetrics => {
  const kube = definitions(registry, 'kubeproxy')
  const own = definitions(registry, 'fairway_proxy')
  const failures = FAILURES[mode]
  const failuresHelp = 'Syncs that failed and are repeated'
  return {
    syncDuration: kube.histogram('sync_proxy_rules_duration_seconds', 'Time of one sync', SYNC_BUCKETS),
    fullSyncDuration: kube.histogram('sync_full_proxy_rules_duration_seconds', 'Time of one sync of everything', SYNC_BUCKETS),
    partialSyncDuration: kube.histogram(
      'sync_partial_proxy_rules_duration_seconds',
      'Time of one sync of what changed',
      SYNC_BUCKETS,
    ),
    programmingDuration: kube.histogram(
      'network_programming_duration_seconds',
      'Time from the change of a pod or Service to the change of traffic',
      PROGRAMMING_BUCKETS,
    ),
    lastSync: kube.gauge('sync_proxy_rules_last_timestamp_seconds', 'When a sync last succeeded'),
    lastQueued: kube.gauge('sync_proxy_rules_last_queued_timestamp_seconds', 'When a sync was last asked for'),
    serviceChanges: kube.counter('sync_proxy_rules_service_changes_total', 'Changes of Services'),
    endpointChanges: kube.counter('sync_proxy_rules_endpoint_changes_total', 'Changes of EndpointSlices'),
    serviceChangesPending: kube.gauge(
      'sync_proxy_rules_service_changes_pending',
      'Changes of Services that do not carry traffic yet',
    ),
    endpointChangesPending: kube.gauge(
      'sync_proxy_rules_endpoint_changes_pending',
      'Changes of EndpointSlices that do not carry traffic yet',
    ),
    noLocalEndpoints: kube.gauge(
      'sync_proxy_rules_no_local_endpoints_total',
      'Service ports with policy Local, endpoints elsewhere and none on this node',
      'traffic_policy',
    ),
    syncFailures:
      failures === undefined
        ? own.counter('sync_failures_total', failuresHelp)
        : definitions(registry).counter(failures, failuresHelp),
    healthz: kube.counter('proxy_healthz_total', 'Answers of /healthz', 'code'),
    livez: kube.counter('proxy_livez_total', 'Answers of /livez', 'code'),
    audits: own.counter('audits_total', 'Comparisons of the world with the intent', 'result'),
    auditDuration: own.histogram('audit_duration_seconds', 'Time of one audit', SYNC_BUCKETS),
    drift: own.counter('drift_total', 'Things in the world that were not as intended', 'kind'),
  }
}

const definitions = (registry: Registry, prefix?: string) => {
  const registers = [registry]
  const full = (name: string): string => (prefix === undefined ? name : `${prefix}_${name}`)
  return {
    histogram: <L extends string = never>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
      new Histogram<L>({ name: full(name), help, buckets, labelNames, registers }),
    gauge: <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
      new Gauge<L>({ name: full(name), help, labelNames, registers }),
    counter: <L extends string = never>(name: string, help: string, ...labelNames: L[]) =>
      new Counter<L>({ name: full(name), help, labelNames, registers }),
  }
}
