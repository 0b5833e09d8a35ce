import { Counter, Histogram, type Registry } from 'prom-client'

export interface TencentMetrics {
  readonly calls: Counter<'action' | 'result'>
  readonly duration: Histogram<'action'>
}

const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Registers all of them; throws when the registry has some already. */
export const createTencentMetrics = (registry: Registry): TencentMetrics => ({
  calls: new Counter({
    name: 'fairway_loadbalancer_tencent_api_calls_total',
    help: 'Requests to the API of Tencent Cloud by action and how they ended',
    labelNames: ['action', 'result'],
    registers: [registry],
  }),
  duration: new Histogram({
    name: 'fairway_loadbalancer_tencent_api_call_duration_seconds',
    help: 'Time of a request to the API of Tencent Cloud, without the wait for its turn',
    labelNames: ['action'],
    buckets: BUCKETS,
    registers: [registry],
  }),
})
