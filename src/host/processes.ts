import { readdir, readFile } from 'node:fs/promises'

/** A process as it can be told from a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot. */
  readonly startTicks: number
  readonly bootId: string
}

/** The identity of a living process; undefined when there is none, or just a zombie that nobody waited for yet. */
export const identityOf = async (pid: number): Promise<ProcessIdentity | undefined> => {
  const stat = await statOf(pid)
  return stat === undefined ? undefined : { pid, startTicks: stat.startTicks, bootId: await bootId() }
}

/** Whether the process that had this identity still lives. */
export const isAlive = async (identity: ProcessIdentity): Promise<boolean> => {
  const now = await identityOf(identity.pid)
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId
}

/** The direct children of a process. */
export const childrenOf = async (pid: number): Promise<readonly number[]> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}

/** Processes whose initial environment holds `name=value`; those of other users are not seen. A whole scan of /proc: not for hot paths. */
export const processesWithEnv = async (name: string, value: string): Promise<readonly number[]> => {
  const wanted = `${name}=${value}`
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((entry) => /^[0-9]+$/.test(entry)).map(Number)
  const matches = await Promise.all(pids.map(async (pid) => (await environmentOf(pid)).includes(wanted)))
  return pids.filter((pid, index) => matches[index] && pid !== process.pid)
}

const environmentOf = async (pid: number): Promise<readonly string[]> => {
  const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  return text.split('\0')
}

const statOf = async (pid: number): Promise<{ readonly startTicks: number } | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  // proc(5): the second field is the command in parentheses and may hold anything, so count from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return { startTicks: Number(fields[START_TIME_FIELD - FIRST_FIELD_AFTER_COMMAND]) }
}

const START_TIME_FIELD = 22
const FIRST_FIELD_AFTER_COMMAND = 3

let knownBootId: Promise<string> | undefined

const bootId = (): Promise<string> => {
  knownBootId ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => 'unknown',
  )
  return knownBootId
}
