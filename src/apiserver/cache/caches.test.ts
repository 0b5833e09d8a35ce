import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configMapKind, type KubeObject } from '../../api/index.ts'
import { realClock, silentLogger } from '../../base/index.ts'
import { openLmdbStore, type Store, TooSlowError } from '../../store/index.ts'
import { kindPrefix, objectKey } from '../registry/keys.ts'
import { createCaches } from './caches.ts'
import { decodeEntry, encodeObject } from './codec.ts'

const withStore = async (use: (store: Store) => Promise<void>): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), 'fairway-caches-'))
  const store = await openLmdbStore({ path, clock: realClock, log: silentLogger })
  try {
    await use(store)
  } finally {
    await store.close()
    await rm(path, { recursive: true, force: true })
  }
}

const key = (name: string): string => objectKey(configMapKind, 'default', name)
const object = (name: string, value: string): KubeObject & { readonly data: object } => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
})

const start = async (store: Store) => {
  const stop = new AbortController()
  const caches = createCaches({ store, kinds: [configMapKind], clock: realClock, log: silentLogger })
  const running = await caches.start(stop.signal)
  return {
    caches,
    cache: caches.of(configMapKind),
    stop: async () => {
      stop.abort()
      await running.stopped
    },
  }
}

test('whatever is written, the cache and the sum of its events are what the store holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isDelete: fc.boolean(), restart: fc.nat(9) }), {
        maxLength: 30,
      }),
      async (steps) => {
        await withStore(async (store) => {
          let running = await start(store)
          const replayed = new Map<string, KubeObject>()
          for (const [index, step] of steps.entries()) {
            if (step.restart === 0) {
              await running.stop()
              running = await start(store)
            }
            const present = await store.get(key(step.name))
            if (step.isDelete && present === undefined) continue
            const value = encodeObject(object(step.name, String(index)))
            const write = step.isDelete
              ? ({ type: 'delete', key: key(step.name) } as const)
              : ({ type: 'put', key: key(step.name), value } as const)
            await store.transact({ conditions: [], writes: [write] })
          }
          await running.caches.fresh()
          const { entries } = await store.range({ prefix: kindPrefix(configMapKind) })
          const held = running.cache.keys('/').map((each) => running.cache.get(each))
          expect(held).toEqual(entries.map(decodeEntry))
          for (const event of running.cache.ring.read(running.cache.ring.seek(0) ?? -1, 1000) ?? []) {
            if (event.object === undefined) replayed.delete(event.key)
            else replayed.set(event.key, event.object)
          }
          expect([...replayed.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))).toEqual(held)
          await running.stop()
        })
      },
    ),
    { numRuns: 15 },
  )
})

test('when the watch of the store breaks, the cache loads again and cuts its readers off', async () => {
  await withStore(async (store) => {
    let watches = 0
    const breaking: Store = {
      ...store,
      get revision() {
        return store.revision
      },
      async *watch(prefix, after, signal) {
        watches++
        for await (const batch of store.watch(prefix, after, signal)) {
          if (watches === 1) throw new TooSlowError('too slow')
          yield batch
        }
      },
    }
    const running = await start(breaking)
    const position = running.cache.ring.seek(0) ?? -1
    await store.transact({ conditions: [], writes: [{ type: 'put', key: key('a'), value: encodeObject(object('a', '1')) }] })
    await running.caches.fresh()
    expect(running.cache.get(key('a'))).toMatchObject({ data: { value: '1' } })
    expect(running.cache.ring.read(position, 1)).toBeUndefined()
    await store.transact({ conditions: [], writes: [{ type: 'delete', key: key('a') }] })
    await running.caches.fresh()
    expect(running.cache.size).toBe(0)
    await running.stop()
  })
})
