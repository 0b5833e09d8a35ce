export { type Failure, isLoadBalancerError, LoadBalancerError, type LoadBalancerErrorOptions } from './errors.ts'
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
