export { defaultSettings, type EngineSettings } from './settings.ts'
export type { EngineStats } from './stats.ts'
export {
  type Backend,
  type Certificate,
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
  type RouteTable,
  type TableDelta,
  type Target,
} from './table/index.ts'
export { createEngine, type Engine, type EngineOptions, type RunningEngine } from './workers/engine.ts'
export type { ListenAddress } from './workers/listen-handle.ts'
