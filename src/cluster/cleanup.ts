import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../base/index.ts'
import { realHost } from '../host/index.ts'
import { cleanupNode } from '../node/index.ts'
import { readStatus } from './status-file.ts'

/** Removes what a killed instance left outside of its data folder; tells what it removed. Refuses while the instance runs. */
export const cleanupInstance = async (dataDir: string): Promise<readonly string[]> => {
  const running = await readStatus(dataDir)
  if (running) throw new UserError(`fairway (process ${running.pid}) runs on ${dataDir}; stop it first`)
  const removed = await cleanupNode({ host: realHost(), dataDir })
  await Promise.all(['status.json', 'control.sock'].map((name) => rm(join(dataDir, name), { force: true })))
  return removed
}
