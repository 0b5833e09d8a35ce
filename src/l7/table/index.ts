export { diffTables, LiveTable } from './delta.ts'
export { canonicalHost } from './host.ts'
export { type Match, Matcher } from './match.ts'
export { canonicalPath } from './path.ts'
export {
  type Backend,
  type Certificate,
  type Endpoint,
  emptyTable,
  type HostPattern,
  type HostRoutes,
  type PathRoute,
  type RouteTable,
  type TableDelta,
  type Target,
} from './route-table.ts'
