import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createFlowMetrics } from './conntrack/index.ts'
import { createProxyMetrics } from './metrics.ts'

/** What dashboards and scalability tests of kube-proxy read, as of Kubernetes 1.35. */
const KUBE_PROXY = [
  'kubeproxy_conntrack_reconciler_deleted_entries_total',
  'kubeproxy_conntrack_reconciler_sync_duration_seconds',
  'kubeproxy_network_programming_duration_seconds',
  'kubeproxy_proxy_healthz_total',
  'kubeproxy_proxy_livez_total',
  'kubeproxy_sync_full_proxy_rules_duration_seconds',
  'kubeproxy_sync_partial_proxy_rules_duration_seconds',
  'kubeproxy_sync_proxy_rules_duration_seconds',
  'kubeproxy_sync_proxy_rules_endpoint_changes_pending',
  'kubeproxy_sync_proxy_rules_endpoint_changes_total',
  'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds',
  'kubeproxy_sync_proxy_rules_last_timestamp_seconds',
  'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
  'kubeproxy_sync_proxy_rules_service_changes_pending',
  'kubeproxy_sync_proxy_rules_service_changes_total',
]

const registered = async (mode: string) => {
  const registry = new Registry()
  createProxyMetrics(registry, mode)
  createFlowMetrics(registry)
  return registry.getMetricsAsJSON()
}

describe('the names of the metrics', () => {
  it('are those of kube-proxy, and our own under our prefix', async () => {
    const names = (await registered('userspace')).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(KUBE_PROXY))
    expect(names.filter((name) => !KUBE_PROXY.includes(name))).toEqual([
      'fairway_proxy_sync_failures_total',
      'fairway_proxy_audits_total',
      'fairway_proxy_audit_duration_seconds',
      'fairway_proxy_drift_total',
      // kube-proxy only logs these.
      'kubeproxy_conntrack_reconciler_failures_total',
    ])
  })

  it.each([
    ['nftables', 'kubeproxy_sync_proxy_rules_nftables_sync_failures_total'],
    ['iptables', 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total'],
    ['ebpf', 'fairway_proxy_sync_failures_total'],
  ])('count failed syncs of %s under %s', async (mode, name) => {
    expect((await registered(mode)).map((metric) => metric.name)).toContain(name)
  })

  it('keep to the rules of Prometheus', async () => {
    // kube-proxy itself calls this gauge a total.
    const exceptions = ['kubeproxy_sync_proxy_rules_no_local_endpoints_total']
    for (const { name, help, type } of await registered('nftables')) {
      expect(name).toMatch(/^(kubeproxy|fairway_proxy)(_[a-z0-9]+)+$/)
      expect(help, name).not.toBe('')
      // The type of prom-client is a number in its declarations and a word when it runs.
      const isCounter = String(type) === 'counter'
      if (!exceptions.includes(name)) expect(name.endsWith('_total'), name).toBe(isCounter)
      if (String(type) === 'histogram') expect(name).toMatch(/_seconds$/)
    }
  })
})
