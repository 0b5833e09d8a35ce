export { diffTables, LiveTable } from './delta.ts'
export { canonicalHost } from './host.ts'
export { type Match, Matcher } from './match.ts'
export { canonicalPath } from './path.ts'
export type {
  AccessPolicy,
  BasicAuth,
  Canary,
  CorsPolicy,
  ExternalAuth,
  FieldEdits,
  FixedAnswer,
  Mirror,
  OutsideTarget,
  RateLimits,
  Redirect,
  RetryCondition,
  RetryPolicy,
  RoutePolicy,
  StickyCookie,
  Template,
  TextPair,
  Variable,
} from './policy.ts'
export {
  type Backend,
  type BackendTls,
  type Certificate,
  type ClientAuth,
  type Endpoint,
  emptyTable,
  type HealthCheck,
  type HostPattern,
  type HostRoutes,
  type PathRoute,
  type RouteTable,
  type TableDelta,
  type Target,
} from './route-table.ts'
