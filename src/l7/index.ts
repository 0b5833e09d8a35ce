export { addressMatcher } from './addresses.ts'
export { DataPlane } from './data-plane.ts'
export { compileCanaries } from './policy/canary.ts'
export { defaultSettings, type EngineSettings } from './settings.ts'
export type { EngineStats } from './stats.ts'
export {
  type Backend,
  type BackendTls,
  type Certificate,
  type ClientAuth,
  canonicalHost,
  canonicalPath,
  diffTables,
  type Endpoint,
  emptyTable,
  type HostPattern,
  type HostRoutes,
  LiveTable,
  type Match,
  Matcher,
  type PathRoute,
  type RoutePolicy,
  type RouteTable,
  type TableDelta,
  type Target,
} from './table/index.ts'
export { engineMetricsText, type TelemetrySettings } from './telemetry/index.ts'
export { createEngine, type Engine, type EngineOptions, type RunningEngine } from './workers/engine.ts'
export type { ListenAddress } from './workers/listen-handle.ts'
