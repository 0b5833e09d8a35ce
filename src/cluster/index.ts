export { cleanupInstance } from './cleanup.ts'
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
export { type RunningCluster, startCluster } from './start-cluster.ts'
export { type InstanceStatus, readStatus, type Substitution } from './status-file.ts'
