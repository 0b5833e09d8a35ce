import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What a running instance tells about itself, in `DIR/status.json`. */
export interface InstanceStatus {
  readonly ready: boolean
  readonly version: string
  readonly pid: number
  /** Start time of the process in clock ticks after boot (proc(5)): with `pid` it names one process for ever. */
  readonly startTicks: string
  readonly dataDir: string
  readonly kubeconfig: string
  readonly api: string
  readonly ingress: { readonly http: string; readonly https: string }
  readonly dns: string
  readonly dnsDomain: string
  readonly proxyMode: string
  /** Why this mode, and what kept a better one. */
  readonly proxyModeReason: string
  /** Why this mode, what the machine did not allow, and what pods have to do without. */
  readonly notes: readonly string[]
  readonly network: string
  readonly nodeName: string
  readonly nodeAddress: string
  /** Ports that could not be bound and what stands in for them. */
  readonly substitutions: readonly Substitution[]
}

export interface Substitution {
  /** What is served, such as `service shop/web port 80` or `ingress http`. */
  readonly what: string
  readonly address: string
  readonly port: number
  readonly substitute: number
  readonly reason: string
}

const pathOf = (dataDir: string): string => join(dataDir, 'status.json')

/** Replaces the file at once, so that a reader never sees half of it. */
export const writeStatus = async (status: InstanceStatus): Promise<void> => {
  const path = pathOf(status.dataDir)
  const draft = `${path}.${process.pid}.new`
  await writeFile(draft, `${JSON.stringify(status, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, path)
}

export const removeStatus = (dataDir: string): Promise<void> => rm(pathOf(dataDir), { force: true })

/** The status of the instance that runs on this folder; undefined when none does (a file that a killed one left counts as none). */
export const readStatus = async (dataDir: string): Promise<InstanceStatus | undefined> => {
  const text = await readFile(pathOf(dataDir), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const status = parse(text)
  if (!status) return undefined
  return (await startTicksOf(status.pid)) === status.startTicks ? status : undefined
}

const parse = (text: string): InstanceStatus | undefined => {
  try {
    // Written by `writeStatus` only, into a folder of mode 0700.
    return JSON.parse(text) as InstanceStatus
  } catch {
    return undefined
  }
}

/** Field 22 of /proc/PID/stat; the fields before it may hold blanks only inside the parentheses of the name. */
export const startTicksOf = async (pid: number): Promise<string | undefined> => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}
