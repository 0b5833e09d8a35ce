import type { ClusterFlags } from './options.ts'
import type { RunningCluster, StartRequest } from './start-cluster.ts'

/** `startCluster`, loaded when it is called: most commands of the command line never need the whole house. */
export const startCluster = async (flags: ClusterFlags, request: StartRequest): Promise<RunningCluster> =>
  (await import('./start-cluster.ts')).startCluster(flags, request)
