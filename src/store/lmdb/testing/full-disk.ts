/**
 * Fills the disk of a folder through a store, and says as one JSON line how the store took it. With `refuse` the store notices before LMDB does;
 * with `meet` it keeps no reserve, so that LMDB itself meets the full disk.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { realClock, silentLogger } from '../../../base/index.ts'
import { WriteFailedError } from '../../store.ts'
import { openLmdbStore } from '../index.ts'

const [path = '', mode] = process.argv.slice(2)
const ballast = join(path, '..', 'ballast')
writeFileSync(ballast, Buffer.alloc(4 * 2 ** 20))
const store = await openLmdbStore({
  path: join(path),
  clock: realClock,
  log: silentLogger,
  reserveBytes: mode === 'meet' ? -(2 ** 30) : 2 ** 20,
})
const put = (index: number) =>
  store.transact({ conditions: [], writes: [{ type: 'put', key: `/k/${index}`, value: Buffer.alloc(20_000, index % 251) }] })

const fill = async (): Promise<{ acknowledged: number; error: unknown }> => {
  for (let index = 0; index < 5000; index++) {
    try {
      await put(index)
    } catch (error) {
      return { acknowledged: index, error }
    }
  }
  return { acknowledged: 5000, error: undefined }
}

const { acknowledged, error } = await fill()
const second = await put(0).catch((failed: unknown) => failed)
const { entries, revision } = await store.range({ prefix: '/k/' })
const intact = entries.every((entry, index) => entry.value.length === 20_000 && entry.key !== '' && index >= 0)
rmSync(ballast)
const after = await put(acknowledged)
await store.close()
const again = await openLmdbStore({ path, clock: realClock, log: silentLogger })
const kept = (await again.range({ prefix: '/k/' })).entries.length
await again.close()
console.log(
  JSON.stringify({
    refused: error instanceof WriteFailedError ? error.reason : String(error),
    refusedAgain: second instanceof WriteFailedError,
    readable: intact && entries.length === acknowledged && revision === acknowledged,
    writableAfterwards: after.committed && after.revision === acknowledged + 1,
    keptOverRestart: kept === acknowledged + 1,
  }),
)
