import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import { type Clock, errorCode, errorMessage, type Logger, UserError } from '../../base/index.ts'
import type { Store } from '../store.ts'
import { type CompactionLimits, createCompactor } from './compact.ts'
import { claimFolder } from './owner.ts'
import { readEntry, readRange } from './read.ts'
import { META, type Tables } from './tables.ts'
import { createWriter } from './transact.ts'
import { createWatchHub, type WatchLimits } from './watch.ts'

export interface LmdbStoreOptions extends Partial<CompactionLimits>, Partial<WatchLimits> {
  /** The folder; made when missing, with its parents. */
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** Disk space that writes must leave free. */
  readonly reserveBytes?: number
}

const MINUTE_MS = 60_000
const DEFAULTS = { maxRevisions: 20_000, maxAgeMs: 5 * MINUTE_MS, maxBufferedChanges: 10_000, reserveBytes: 2 ** 20 }

/**
 * Opens the store in a folder; makes it when there is none. Throws a `UserError` when the folder is in use by another process,
 * cannot be used, or holds damaged data, which is left as it is.
 */
export const openLmdbStore = async (options: LmdbStoreOptions): Promise<Store> => {
  const { path, clock, log } = options
  const limits = { ...DEFAULTS, ...options }
  const tables = openTables(path)
  const owner = claim(tables, path)
  const hub = createWatchHub(tables, limits)
  const compactor = createCompactor(tables, clock, limits)
  const writer = createWriter({ tables, path, hub, compactor, clock, log, reserveBytes: limits.reserveBytes })
  compactor.start(writer.wake)
  log.info('store: opened', { path, revision: hub.revision, compacted: compactor.compacted, wasKilled: owner.wasKilled })
  let closing: Promise<void> | undefined
  const checkOpen = (): void => {
    if (closing !== undefined) throw new Error('the store is closed')
  }
  const close = async (): Promise<void> => {
    await writer.close()
    hub.close()
    await owner.release()
    await tables.root.close()
  }
  return {
    get revision() {
      return hub.revision
    },
    async get(key) {
      checkOpen()
      return readEntry(tables, key)
    },
    async range(query) {
      checkOpen()
      return readRange(tables, query)
    },
    async transact(transaction) {
      checkOpen()
      return writer.transact(transaction)
    },
    watch(prefix, afterRevision, signal) {
      checkOpen()
      return hub.watch(prefix, afterRevision, signal)
    },
    async compact(revision) {
      checkOpen()
      const done = compactor.request(Math.min(revision, hub.revision))
      writer.wake()
      await done
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

const FORMAT = Buffer.from('fairway-1')

const openTables = (path: string): Tables => {
  const binary = { encoding: 'binary', keyEncoding: 'binary' } as const
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
    const root = openLmdb<Buffer, Buffer>({
      ...binary,
      path,
      noSubdir: false,
      maxDbs: 8,
      // Acknowledged means synced: LMDB's promise resolves after fsync only without overlapping syncs.
      overlappingSync: false,
      // One batch is one commit; without this LMDB wraps it in another one, whose failure nobody can handle.
      eventTurnBatching: false,
    })
    for (const file of ['data.mdb', 'lock.mdb']) chmodSync(join(path, file), 0o600)
    const table = (name: string) => root.openDB<Buffer, Buffer>(name, binary)
    return { root, current: table('current'), versions: table('versions'), events: table('events'), meta: table('meta') }
  } catch (error) {
    throw cannotOpen(path, error)
  }
}

const cannotOpen = (path: string, error: unknown): UserError => {
  const code = errorCode(error)
  const why = errorMessage(error)
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError(`the data folder ${path} may not be used (${code}); choose another one with --data-dir`, {
      cause: error,
    })
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return new UserError(`the data folder ${path} is not a folder; choose another one with --data-dir`, { cause: error })
  return new UserError(
    `the data in ${path} cannot be read (${why}); it was left as it is: restore data.mdb from a copy, or move the folder away to begin anew`,
    {
      cause: error,
    },
  )
}

const claim = (tables: Tables, path: string): ReturnType<typeof claimFolder> => {
  try {
    const format = tables.meta.get(META.format)
    if (format !== undefined && !format.equals(FORMAT)) {
      throw new UserError(
        `the data in ${path} has format "${format.toString('utf8')}", which this version does not know; use the version that wrote it`,
      )
    }
    const owner = claimFolder(tables, path)
    if (format === undefined) tables.meta.putSync(META.format, FORMAT)
    return owner
  } catch (error) {
    void tables.root.close()
    throw error instanceof UserError ? error : cannotOpen(path, error)
  }
}
