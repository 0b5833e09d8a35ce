export { type CloudClient, type CloudClientOptions, createCloudClient } from './client.ts'
export type { CloudApi } from './cloud-api.ts'
export { type Credentials, createCredentials } from './credentials.ts'
export { CloudError, type CloudFailure, isCloudError } from './errors.ts'
export type { ListenerChanges, NewListener } from './listener-calls.ts'
export type { AttributeChanges } from './load-balancer-calls.ts'
export type {
  GroupSettings,
  HealthCheck,
  ListenerInfo,
  ListenerProtocol,
  LoadBalancerInfo,
  PlacedTarget,
  RuleInfo,
  TargetInfo,
} from './model.ts'
export type { RateLimits } from './rate-limit.ts'
export type { NewRule } from './rule-calls.ts'
