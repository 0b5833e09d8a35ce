import { Counter, Histogram, type Registry } from 'prom-client'

/** kube-proxy's metrics of its conntrack reconciler, under its names, and failures, which it only logs. */
export interface FlowMetrics {
  readonly duration: Histogram<'ip_family'>
  readonly deleted: Counter<'ip_family'>
  readonly failures: Counter<'ip_family'>
}

/** 1 ms doubling 15 times, as kube-proxy. */
const BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index)

/** In a registry that has none of them yet. */
export const createFlowMetrics = (registry: Registry): FlowMetrics => {
  const common = { labelNames: ['ip_family'] as const, registers: [registry] }
  const name = (rest: string): string => `kubeproxy_conntrack_reconciler_${rest}`
  return {
    duration: new Histogram({
      name: name('sync_duration_seconds'),
      help: 'Time of one look at the flows of changed frontends',
      buckets: BUCKETS,
      ...common,
    }),
    deleted: new Counter({ name: name('deleted_entries_total'), help: 'Stale flows that were removed', ...common }),
    failures: new Counter({
      name: name('failures_total'),
      help: 'Looks that failed and are repeated after the next sync',
      ...common,
    }),
  }
}
