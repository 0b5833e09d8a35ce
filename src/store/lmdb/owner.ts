import { readFileSync, readlinkSync } from 'node:fs'
import { UserError } from '../../base/index.ts'
import { META, type Tables } from './tables.ts'

/** The process that has the folder open, and this opening of it. */
interface Owner {
  readonly pid: number
  /** Ticks since boot at which the process began: tells it from a later one with the same pid. */
  readonly startTime: string
  readonly bootId: string
  readonly token: string
}

/**
 * Makes this process the owner of the folder, or throws a `UserError` when another one lives. The check and the claim are one LMDB write
 * transaction; LMDB holds it under a robust mutex, so that two processes cannot both win, and what a killed process left is taken over.
 * Returns how to give it back, and whether the last owner ended without doing so.
 */
export const claimFolder = (tables: Tables, path: string): { release(): Promise<void>; wasKilled: boolean } => {
  const me: Owner = { ...processIdentity(process.pid), token: `${process.pid}-${process.hrtime.bigint()}` }
  const claim = (): Owner | undefined => {
    const owner = parseOwner(tables.meta.get(META.owner))
    if (owner !== undefined && isAlive(owner)) return owner
    tables.meta.putSync(META.owner, Buffer.from(JSON.stringify(me)))
    return undefined
  }
  const before = parseOwner(tables.meta.get(META.owner))
  const other = tables.root.transactionSync(claim)
  if (other !== undefined) {
    throw new UserError(
      `the data folder ${path} is in use by process ${other.pid}; stop it, or choose another folder with --data-dir`,
    )
  }
  return {
    wasKilled: before !== undefined,
    async release() {
      if (parseOwner(tables.meta.get(META.owner))?.token === me.token)
        await tables.root.batch(() => void tables.meta.remove(META.owner))
    },
  }
}

const parseOwner = (bytes: Buffer | undefined): Owner | undefined => {
  if (bytes === undefined) return undefined
  // Written by claimFolder; what does not parse is nobody's.
  try {
    const owner = JSON.parse(bytes.toString('utf8')) as Partial<Owner>
    const { pid, startTime, bootId, token } = owner
    return pid === undefined || startTime === undefined || bootId === undefined || token === undefined
      ? undefined
      : { pid, startTime, bootId, token }
  } catch {
    return undefined
  }
}

const isAlive = (owner: Owner): boolean => {
  const { startTime, bootId } = processIdentity(owner.pid)
  return startTime !== '' && startTime === owner.startTime && bootId === owner.bootId
}

const processIdentity = (pid: number): Omit<Owner, 'token'> => ({ pid, startTime: startTimeOf(pid), bootId: bootId() })

/** Field 22 of /proc/PID/stat; the command before it may hold blanks and parentheses. Empty when there is no such process, or a dead one. */
const startTimeOf = (pid: number): string => {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return state === undefined || state === 'Z' || state === 'X' ? '' : (fields[19] ?? '')
}

/** The boot and the pid namespace: a pid means something only there. */
const bootId = (): string => `${readText('/proc/sys/kernel/random/boot_id').trim()} ${readLink('/proc/self/ns/pid')}`

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const readLink = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
