import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** kube-proxy's metrics, under its names, as far as they make sense here. */
export interface ProxyMetrics {
  readonly syncDuration: Histogram
  readonly fullSyncDuration: Histogram
  readonly partialSyncDuration: Histogram
  readonly programmingDuration: Histogram
  readonly lastSync: Gauge
  readonly lastQueued: Gauge
  readonly serviceChanges: Counter
  readonly endpointChanges: Counter
  readonly noLocalEndpoints: Gauge<'traffic_policy'>
  readonly syncFailures: Counter
}

/** 1 ms doubling 15 times, as kube-proxy. */
const SYNC_BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index)
const PROGRAMMING_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10, 15, 20, 30, 45, 60, 120, 300]

export const createProxyMetrics = (registry: Registry): ProxyMetrics => {
  const registers = [registry]
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name: `kubeproxy_${name}`, help, buckets, registers })
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `kubeproxy_${name}`, help, registers })
  const counter = (name: string, help: string): Counter => new Counter({ name: `kubeproxy_${name}`, help, registers })
  return {
    syncDuration: histogram('sync_proxy_rules_duration_seconds', 'Time of one sync', SYNC_BUCKETS),
    fullSyncDuration: histogram('sync_full_proxy_rules_duration_seconds', 'Time of one sync of everything', SYNC_BUCKETS),
    partialSyncDuration: histogram('sync_partial_proxy_rules_duration_seconds', 'Time of one sync of what changed', SYNC_BUCKETS),
    programmingDuration: histogram(
      'network_programming_duration_seconds',
      'Time from the change of a pod or Service to the change of traffic',
      PROGRAMMING_BUCKETS,
    ),
    lastSync: gauge('sync_proxy_rules_last_timestamp_seconds', 'When a sync last succeeded'),
    lastQueued: gauge('sync_proxy_rules_last_queued_timestamp_seconds', 'When a sync was last asked for'),
    serviceChanges: counter('sync_proxy_rules_service_changes_total', 'Changes of Services'),
    endpointChanges: counter('sync_proxy_rules_endpoint_changes_total', 'Changes of EndpointSlices'),
    noLocalEndpoints: new Gauge({
      name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      help: 'Service ports with policy Local, endpoints elsewhere and none on this node',
      labelNames: ['traffic_policy'],
      registers,
    }),
    syncFailures: counter('sync_proxy_rules_failures_total', 'Syncs that failed and are repeated'),
  }
}
