export { type CleanupReport, cleanupInstance } from './cleanup.ts'
export { askControl } from './control.ts'
export type { ClusterExplanation } from './explain.ts'
export {
  type Applied,
  type ApplyOptions,
  applyManifest,
  identify,
  labelOf,
  type Manifest,
  orUndefined,
  readManifests,
} from './manifests/index.ts'
export { type ClusterFlags, defaultDataDir, environmentOf } from './options.ts'
export { startCluster } from './start.ts'
export type { RunningCluster } from './start-cluster.ts'
export { type InstanceStatus, readStatus, type Substitution, startTicksOf } from './status-file.ts'
