import { join } from 'node:path'
import { aborted, type Clock, type Logger, type Running } from '../base/index.ts'
import { openLmdbStore, type Store } from '../store/index.ts'

export interface RunningStore extends Running {
  readonly store: Store
}

export interface StoreDeps {
  readonly dataDir: string
  readonly clock: Clock
  readonly log: Logger
}

/** The store of a data folder, and with it the claim that no other instance runs there: nothing on the machine is touched before. */
export const storeOf = ({ dataDir, clock, log }: StoreDeps) => ({
  name: 'store',
  async start(signal: AbortSignal): Promise<RunningStore> {
    const store = await openLmdbStore({ path: join(dataDir, 'store'), clock, log })
    return { store, stopped: aborted(signal).then(() => store.close()) }
  },
})
