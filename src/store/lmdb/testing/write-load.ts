/**
 * A process that writes to a store as fast as it can, and says on standard output what was acknowledged: one JSON line for each
 * transaction, written synchronously, so that what is read was said before the process was killed.
 */
import { writeSync } from 'node:fs'
import { errorCode, realClock, silentLogger } from '../../../base/index.ts'
import type { Store } from '../../store.ts'
import { openLmdbStore } from '../index.ts'

const WRITERS = 8
const KEYS = 50

const [path, round] = process.argv.slice(2)
if (path === undefined || round === undefined) throw new Error('usage: write-load FOLDER ROUND')

/** Standard output is a pipe that does not block: a reader that is behind lets it fill up. */
const say = (what: object): void => {
  let left = Buffer.from(`${JSON.stringify(what)}\n`)
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

const writeForever = async (store: Store, writer: number): Promise<never> => {
  for (let step = 0; ; step++) {
    const value = `${round}/${writer}/${step}`
    const keys = [`/load/${writer}/${step % KEYS}`, `/pair/${writer}`]
    const padded = Buffer.from(value.padEnd(200 + ((step * 37) % 3000), '.'))
    const removed = step % 5 === 4 ? `/load/${writer}/${(step + 7) % KEYS}` : undefined
    const result = await store.transact({
      conditions: [],
      writes: [
        ...keys.map((key) => ({ type: 'put', key, value: padded }) as const),
        ...(removed === undefined ? [] : [{ type: 'delete', key: removed } as const]),
      ],
    })
    if (!result.committed) throw new Error('a write without conditions was refused')
    say({ revision: result.revision, value, keys, removed })
  }
}

const store = await openLmdbStore({ path, clock: realClock, log: silentLogger, maxRevisions: 500 })
say({ opened: store.revision })
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => writeForever(store, writer)))
