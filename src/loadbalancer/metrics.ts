import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the controller and its provider do, under `fairway_loadbalancer_`. */
export interface LoadBalancerMetrics {
  readonly calls: Counter<'provider' | 'action' | 'result'>
  readonly callDuration: Histogram<'provider' | 'action'>
  readonly writes: Counter<'what'>
  readonly loadBalancers: Gauge
  readonly repairs: Counter
  readonly orphans: Gauge
}

const CALL_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

/** Registers all of them; throws when the registry has some already. */
export const createLoadBalancerMetrics = (registry: Registry): LoadBalancerMetrics => {
  const registers = [registry]
  const name = (rest: string): string => `fairway_loadbalancer_${rest}`
  return {
    calls: new Counter({
      name: name('provider_calls_total'),
      help: 'Calls to the provider by action and how they ended',
      labelNames: ['provider', 'action', 'result'],
      registers,
    }),
    callDuration: new Histogram({
      name: name('provider_call_duration_seconds'),
      help: 'Time of a call to the provider',
      labelNames: ['provider', 'action'],
      buckets: CALL_BUCKETS,
      registers,
    }),
    writes: new Counter({ name: name('service_writes_total'), help: 'Writes to Services', labelNames: ['what'], registers }),
    loadBalancers: new Gauge({ name: name('load_balancers'), help: 'Load balancers that Services have or want', registers }),
    repairs: new Counter({ name: name('repairs_total'), help: 'What others had changed and was put right', registers }),
    orphans: new Gauge({ name: name('orphans'), help: 'Load balancers of this cluster that no Service wants', registers }),
  }
}
