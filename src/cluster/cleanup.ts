import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { realClock, silentLogger, UserError } from '../base/index.ts'
import { realHost } from '../host/index.ts'
import { cleanupNode } from '../node/index.ts'
import { removeModes } from './proxy-mode.ts'
import { readStatus } from './status-file.ts'

export interface CleanupReport {
  /** Such as `process 4711` or `link fw12ab34-br`. */
  readonly removed: readonly string[]
  /** What could not be looked for, and why. */
  readonly skipped: readonly string[]
}

/** Removes what a killed instance left outside of its data folder; tells what it removed. Refuses while the instance runs. */
export const cleanupInstance = async (folder: string): Promise<CleanupReport> => {
  const dataDir = resolve(folder)
  const running = await readStatus(dataDir)
  if (running) throw new UserError(`fairway (process ${running.pid}) runs on ${dataDir}; stop it first`)
  const host = realHost()
  const options = { dataDir, network: { kind: 'netns' }, podCidr: '', proxyMode: 'auto', serviceCidrs: [] } as const
  const modes = await removeModes({ host, options, clock: realClock, log: silentLogger })
  const cleaned = await cleanupNode(host, dataDir)
  await Promise.all(['status.json', 'control.sock'].map((name) => rm(join(dataDir, name), { force: true })))
  const removed = [
    ...modes.removed,
    ...cleaned.wayOut,
    ...cleaned.processes.map((pid) => `process ${pid}`),
    ...cleaned.namespaces.map((name) => `network namespace ${name}`),
    ...cleaned.links.map((name) => `link ${name}`),
    ...cleaned.localRoutes.map((cidr) => `local route ${cidr}`),
    ...cleaned.routes.map((cidr) => `route ${cidr}`),
  ]
  return { removed, skipped: [...modes.failed, ...cleaned.skipped] }
}
