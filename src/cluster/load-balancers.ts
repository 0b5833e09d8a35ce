import { Registry } from 'prom-client'
import { soleLeader } from '../client/index.ts'
import { createLoadBalancerController, createLoadBalancerMetrics, createLocalProvider, onePool } from '../loadbalancer/index.ts'
import { type DataPlaneDeps, recorderOf } from './deps.ts'
import type { ClusterInformers } from './informers.ts'

/** Services of type LoadBalancer get addresses of this machine, which the proxy carries. Nothing else in this process gives them one. */
export const startLoadBalancers = async (deps: DataPlaneDeps, informers: ClusterInformers): Promise<void> => {
  const { control, lifecycle, clock, log, options } = deps
  const { services, endpointSlices: slices, nodes } = informers
  await lifecycle.start(
    createLoadBalancerController({
      client: control.clientFor('service-controller'),
      services,
      slices,
      nodes,
      provider: createLocalProvider(onePool(options.loadBalancerCidr)),
      clusterId: options.nodeName,
      leadership: soleLeader,
      recorder: recorderOf(deps, 'service-controller'),
      metrics: createLoadBalancerMetrics(new Registry()),
      clock,
      log,
    }),
  )
}
