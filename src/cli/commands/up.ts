import { errorMessage, realClock } from '../../base/index.ts'
import { type ClusterFlags, type RunningCluster, startCluster } from '../../cluster/index.ts'
import { adoptDemo } from '../demo.ts'
import { HUNG_UP } from '../exit-codes.ts'

/** `fairway up`: runs in the foreground until SIGINT, SIGTERM or SIGHUP. */
export const up = async (flags: ClusterFlags): Promise<void> => {
  await runInForeground(flags, async (cluster) => {
    await adoptDemo(cluster.status().dataDir)
    console.log(`ready. kubeconfig: ${cluster.status().kubeconfig}`)
    for (const note of cluster.status().notes) console.log(`note: ${note}`)
    for (const s of cluster.status().substitutions) {
      console.log(`note: ${s.what}: ${s.address}:${s.port} is served on port ${s.substitute} (${s.reason})`)
    }
  })
}

/** One Ctrl-C may arrive twice: from the terminal and again from npm, which hands its own on. */
const SAME_PRESS_MS = 500

/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Starts a cluster, shows its progress, calls `whenReady`, and stays until it is told to stop. A second signal ends it at once. */
export const runInForeground = async (
  flags: ClusterFlags,
  whenReady: (cluster: RunningCluster, signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const stop = new AbortController()
  let askedAtMs = Number.NEGATIVE_INFINITY
  const onSignal = (signal: NodeJS.Signals): void => {
    if (realClock.monotonic() - askedAtMs < SAME_PRESS_MS) return
    askedAtMs = realClock.monotonic()
    if (signal === 'SIGHUP') process.exitCode = HUNG_UP
    if (stop.signal.aborted) {
      console.error('stopped at once; "fairway cleanup" removes what is left on this machine')
      process.exit(130)
    }
    console.error('stopping (again to stop at once)')
    stop.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  outliveTheTerminal()
  try {
    const cluster = await startCluster(flags, { signal: stop.signal, onStep: (step) => console.error(`  ${step}`) })
    await whenReady(cluster, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) console.error(`fairway: ${errorMessage(error)}`)
    })
    await cluster.stopped
  } catch (error) {
    // Told to stop while it started: everything is released, and there is nothing to say.
    if (!stop.signal.aborted) throw error
    process.exitCode ??= 130
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}

/** A closed terminal or `fairway up | head` takes away only what is printed: what runs is stopped by a signal, in order. */
const outliveTheTerminal = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error')
    stream.on('error', () => undefined)
  }
}
