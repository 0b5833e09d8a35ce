import { errorMessage, realClock } from '../base/index.ts'
import type { Host } from '../host/index.ts'
import { createLinks, instanceTag, type OwnedLinks } from '../kernel/link/index.ts'
import { killLeftovers } from './runtime/journal.ts'

/** What was there, and is gone now. */
export interface Cleaned extends OwnedLinks {
  /** Process ids. */
  readonly processes: readonly number[]
  /** What could not be looked for, and why. */
  readonly skipped: readonly string[]
}

/**
 * Ends the processes and removes the links, namespaces and local routes that a killed instance with this data folder left. Its data stays.
 * Never call it for an instance that runs.
 */
export const cleanupNode = async (host: Host, dataDir: string): Promise<Cleaned> => {
  const tag = instanceTag(dataDir)
  const processes = await killLeftovers({ files: host.files, dataDir, tag, clock: realClock })
  const { netAdmin, tools } = await host.capabilities()
  const nothing = { links: [], namespaces: [], localRoutes: [], processes }
  if (!tools.has('ip')) return { ...nothing, skipped: ['links: the ip tool is missing; apt-get install iproute2'] }
  // An ordinary user's instance makes none.
  if (!netAdmin) return { ...nothing, skipped: [] }
  try {
    return { ...(await createLinks(host.exec, tag).removeOwned()), processes, skipped: [] }
  } catch (error) {
    return { ...nothing, skipped: [`links: ${errorMessage(error)}`] }
  }
}
