import { errorMessage } from '../../base/index.ts'
import { type ClusterFlags, type RunningCluster, startCluster } from '../../cluster/index.ts'

/** `fairway up`: runs in the foreground until SIGINT or SIGTERM. */
export const up = async (flags: ClusterFlags): Promise<void> => {
  await runInForeground(flags, async (cluster) => {
    console.log(`ready. kubeconfig: ${cluster.status().kubeconfig}`)
    for (const note of cluster.status().notes) console.log(`note: ${note}`)
    for (const s of cluster.status().substitutions) {
      console.log(`note: ${s.what}: ${s.address}:${s.port} is served on port ${s.substitute} (${s.reason})`)
    }
  })
}

/** Starts a cluster, shows its progress, calls `whenReady`, and stays until it is told to stop. A second signal ends it at once. */
export const runInForeground = async (
  flags: ClusterFlags,
  whenReady: (cluster: RunningCluster, signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const stop = new AbortController()
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130)
    console.error('stopping (again to stop at once)')
    stop.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    const cluster = await startCluster(flags, { signal: stop.signal, onStep: (step) => console.error(`  ${step}`) })
    await whenReady(cluster, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) console.error(`fairway: ${errorMessage(error)}`)
    })
    await cluster.stopped
  } catch (error) {
    // Told to stop while it started: everything is released, and there is nothing to say.
    if (!stop.signal.aborted) throw error
    process.exitCode = 130
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}
