import { errorMessage, realClock } from '../base/index.ts'
import type { Host } from '../host/index.ts'
import { createLinks, instanceTag, type OwnedLinks } from '../kernel/link/index.ts'
import { removeWayOut } from './network/way-out/index.ts'
import { killLeftovers } from './runtime/journal.ts'

/** What was there, and is gone now. */
export interface Cleaned extends OwnedLinks {
  /** Process ids. */
  readonly processes: readonly number[]
  /** Such as `forwarding of eth0`. */
  readonly wayOut: readonly string[]
  /** What could not be looked for, and why. */
  readonly skipped: readonly string[]
}

/**
 * Ends the processes and removes the links, namespaces, routes and the pods' way out that a killed instance with this data folder left. Its data stays.
 * Never call it for an instance that runs.
 */
export const cleanupNode = async (host: Host, dataDir: string): Promise<Cleaned> => {
  const tag = instanceTag(dataDir)
  const processes = await killLeftovers({ files: host.files, dataDir, tag, clock: realClock })
  const { netAdmin, tools } = await host.capabilities()
  const nothing = { links: [], namespaces: [], localRoutes: [], routes: [], wayOut: [], processes }
  if (!tools.has('ip')) return { ...nothing, skipped: ['links: the ip tool is missing; apt-get install iproute2'] }
  // An ordinary user's instance makes none.
  if (!netAdmin) return { ...nothing, skipped: [] }
  // Only nft can have made it.
  const wayOut = tools.has('nft') ? await attempt('way out', () => removeWayOut(host.exec, tag), []) : NOTHING_SKIPPED
  const owned = await attempt('links', () => createLinks(host.exec, tag).removeOwned(), nothing)
  return { ...owned.result, wayOut: wayOut.result, processes, skipped: [...wayOut.skipped, ...owned.skipped] }
}

const NOTHING_SKIPPED = { result: [], skipped: [] }

const attempt = async <T>(
  what: string,
  act: () => Promise<T>,
  otherwise: T,
): Promise<{ readonly result: T; readonly skipped: readonly string[] }> => {
  try {
    return { result: await act(), skipped: [] }
  } catch (error) {
    return { result: otherwise, skipped: [`${what}: ${errorMessage(error)}`] }
  }
}
