import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock, silentLogger } from '../../base/index.ts'
import { type LmdbStoreOptions, openLmdbStore } from '../lmdb/index.ts'
import type { Store } from '../store.ts'

/** A real store in a new folder below the system's temporary one; `remove` closes it and deletes the folder. */
export interface TempStore {
  readonly store: Store
  readonly path: string
  remove(): Promise<void>
}

/** Opens a temporary store; production options can be overridden. */
export const openTempStore = async (options: Partial<LmdbStoreOptions> = {}): Promise<TempStore> => {
  const path = await mkdtemp(join(tmpdir(), 'fairway-store-'))
  const store = await openLmdbStore({ path, clock: realClock, log: silentLogger, ...options })
  return {
    store,
    path,
    async remove() {
      await store.close()
      await rm(path, { recursive: true, force: true })
    },
  }
}
