import { join } from 'node:path'
import { type Clock, sleep } from '../../base/index.ts'
import { type Files, identityOf, isAlive, type ProcessIdentity, processesWithEnv, signalGroup } from '../../host/index.ts'

/** Every process of an instance carries this variable with the instance's tag. */
export const INSTANCE_VARIABLE = 'FAIRWAY_INSTANCE'

/** Remembers on disk which process groups run, so that the next run can end what a killed one left. */
export interface Journal {
  add(pid: number): Promise<void>
  remove(pid: number): Promise<void>
}

const folderOf = (dataDir: string): string => join(dataDir, 'node', 'processes')

export const createJournal = (files: Files, dataDir: string): Journal => ({
  async add(pid) {
    const identity = await identityOf(pid)
    if (identity) await files.write(join(folderOf(dataDir), String(pid)), JSON.stringify(identity))
  },
  remove: (pid) => files.remove(join(folderOf(dataDir), String(pid))),
})

/**
 * Kills what an earlier run of the instance left: its recorded process groups, if they still are the same processes, and every process that carries
 * the instance's variable. Returns the process ids. The kernel did most of it already when the earlier run ended (`setpriv --pdeathsig`).
 */
export const killLeftovers = async ({ files, dataDir, tag, clock }: LeftoverOptions): Promise<readonly number[]> => {
  const recorded = await Promise.all(
    (await files.list(folderOf(dataDir))).map((name) => readRecord(files, join(folderOf(dataDir), name))),
  )
  const killed = new Set<number>()
  for (const identity of recorded) {
    if (identity === undefined || !(await isAlive(identity))) continue
    if (signalGroup(identity.pid, 'SIGKILL')) killed.add(identity.pid)
  }
  for (const pid of await processesWithEnv(INSTANCE_VARIABLE, tag)) {
    if (killProcess(pid)) killed.add(pid)
  }
  await files.remove(folderOf(dataDir))
  await gone([...killed], clock)
  return [...killed]
}

export interface LeftoverOptions {
  readonly files: Files
  readonly dataDir: string
  readonly tag: string
  readonly clock: Clock
}

const GONE_LIMIT_MS = 5000
const GONE_POLL_MS = 10

/** SIGKILL takes effect a moment later; the kernel tells nobody but the parent, which is gone. */
const gone = async (pids: readonly number[], clock: Clock): Promise<void> => {
  const untilMs = clock.monotonic() + GONE_LIMIT_MS
  for (let left = pids; left.length > 0 && clock.monotonic() < untilMs; ) {
    const alive = await Promise.all(left.map(async (pid) => (await identityOf(pid)) !== undefined))
    left = left.filter((_, index) => alive[index])
    if (left.length > 0) await sleep(clock, GONE_POLL_MS)
  }
}

const killProcess = (pid: number): boolean => {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch {
    // Ended by itself meanwhile, or another user's.
    return false
  }
}

const readRecord = async (files: Files, path: string): Promise<ProcessIdentity | undefined> => {
  try {
    const value: unknown = JSON.parse((await files.read(path)) ?? '')
    return isIdentity(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  'startTicks' in value &&
  'bootId' in value &&
  typeof value.pid === 'number' &&
  typeof value.startTicks === 'number' &&
  typeof value.bootId === 'string'
