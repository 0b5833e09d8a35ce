export { createLoadBalancerController, type LoadBalancerControllerOptions } from './controller.ts'
export { type Failure, isLoadBalancerError, LoadBalancerError, type LoadBalancerErrorOptions } from './errors.ts'
export { createLoadBalancerMetrics, type LoadBalancerMetrics } from './metrics.ts'
export type {
  Call,
  Capability,
  Claim,
  DesiredLoadBalancer,
  Listener,
  LoadBalancerKey,
  Notes,
  ObservedLoadBalancer,
  Outcome,
  Owner,
  Placement,
  Problem,
  Provider,
  ServiceOutcome,
  TargetEndpoint,
  TargetNode,
} from './provider.ts'
export type { ConfigResult, CreatedProvider, ProviderDeps, ProviderModule } from './provider-module.ts'
export { createLocalProvider, LOCAL_CLASS, type LocalConfig, localProvider, onePool } from './providers/local/index.ts'
export { tencentProvider } from './providers/tencent/index.ts'
