import { type Clock, errorMessage, type Logger, UserError } from '../../base/index.ts'
import type { Store } from '../store.ts'
import { type CompactionLimits, createCompactor } from './compact.ts'
import { openEnvironment } from './environment.ts'
import { damaged, prepareFolder, protectFiles, rememberState, verifyFolder } from './folder.ts'
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
  prepareFolder(path)
  await verifyFolder(path)
  const tables = openTables(path)
  const owner = await claim(tables, path)
  rememberState(path, false)
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
    rememberState(path, true)
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
  try {
    const tables = openEnvironment(path)
    protectFiles(path)
    return tables
  } catch (error) {
    throw damaged(path, errorMessage(error), error)
  }
}

/** Makes this process the only one that has the folder. */
const claim = async (tables: Tables, path: string): Promise<ReturnType<typeof claimFolder>> => {
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
    await tables.root.close()
    if (error instanceof UserError) throw error
    throw new UserError(`the data folder ${path} cannot be written (${errorMessage(error)}); is its disk full?`, { cause: error })
  }
}
