import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type PausedClock, pausedClock } from '../base/testing/paused-clock.ts'
import {
  type ChangeBatch,
  CompactedError,
  type Revision,
  type Store,
  TooSlowError,
  type TransactionResult,
  type Write,
} from './store.ts'

/** How the suite gets stores; each is new and empty, and is closed by the suite. */
export interface StoreHarness {
  open(options: StoreTestOptions): Promise<Store>
}

interface StoreTestOptions {
  readonly clock: PausedClock
  readonly maxRevisions: number
  readonly maxAgeMs: number
  readonly maxBufferedChanges: number
}

const MINUTE_MS = 60_000
const defaults = { maxRevisions: 100_000, maxAgeMs: 5 * MINUTE_MS, maxBufferedChanges: 1000 }

const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (value: Uint8Array): string => Buffer.from(value).toString()
const put = (key: string, value: string): Write => ({ type: 'put', key, value: bytes(value) })
const del = (key: string): Write => ({ type: 'delete', key })
const write = (store: Store, ...writes: readonly Write[]) => store.transact({ conditions: [], writes })

const committed = (result: TransactionResult): Revision => {
  if (!result.committed) throw new Error('expected the transaction to commit')
  return result.revision
}

const keysAndValues = async (store: Store, prefix: string, atRevision?: Revision) =>
  (await store.range({ prefix, atRevision })).entries.map((entry) => [entry.key, text(entry.value)])

/** Reads the first `count` changes of a watch, as words. */
const takeChanges = async (batches: AsyncIterable<ChangeBatch>, count: number): Promise<readonly string[]> => {
  const taken: string[] = []
  for await (const batch of batches) {
    taken.push(...wordsOf(batch))
    if (taken.length >= count) break
  }
  return taken
}

const wordsOf = (batch: ChangeBatch): readonly string[] =>
  batch.changes.map((change) =>
    change.type === 'put'
      ? `${batch.revision} put ${change.entry.key}=${text(change.entry.value)} was ${change.previous ? text(change.previous.value) : 'absent'}`
      : `${batch.revision} delete ${change.key} was ${text(change.previous.value)}`,
  )

/** The contract of store.ts, for every implementation. */
export const storeConformance = (name: string, harness: StoreHarness): void => {
  const opened: Store[] = []
  const open = async (options: Partial<StoreTestOptions> = {}): Promise<Store> => {
    const store = await harness.open({ clock: pausedClock(), ...defaults, ...options })
    opened.push(store)
    return store
  }
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })

  describe(`${name}: revisions`, () => {
    it('begins at 0 and grows by one for each transaction that writes', async () => {
      const store = await open()
      expect(store.revision).toBe(0)
      expect(await write(store, put('/a', '1'), put('/b', '1'))).toEqual({ committed: true, revision: 1 })
      expect(await write(store, put('/a', '2'))).toEqual({ committed: true, revision: 2 })
      expect(store.revision).toBe(2)
    })

    it('stays for a transaction that writes nothing', async () => {
      const store = await open()
      await write(store, put('/a', '1'))
      expect(await write(store)).toEqual({ committed: true, revision: 1 })
      expect(await write(store, del('/missing'))).toEqual({ committed: true, revision: 1 })
      expect(store.revision).toBe(1)
    })

    it('keeps createRevision over updates and begins anew after a delete', async () => {
      const store = await open()
      await write(store, put('/a', '1'))
      await write(store, put('/a', '2'))
      expect(await store.get('/a')).toMatchObject({ createRevision: 1, modRevision: 2 })
      await write(store, del('/a'))
      expect(await store.get('/a')).toBeUndefined()
      await write(store, put('/a', '3'))
      expect(await store.get('/a')).toMatchObject({ createRevision: 4, modRevision: 4 })
    })

    it('gives concurrent transactions distinct revisions without a gap', async () => {
      const store = await open()
      const results = await Promise.all(Array.from({ length: 200 }, (_, index) => write(store, put(`/k/${index}`, 'x'))))
      expect(results.map(committed).sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    })
  })

  describe(`${name}: isolation`, () => {
    it('lost update: of concurrent writes on the same version, one wins', async () => {
      const store = await open()
      await write(store, put('/counter', '0'))
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.transact({ conditions: [{ key: '/counter', modRevision: 1 }], writes: [put('/counter', String(index))] }),
        ),
      )
      expect(results.filter((result) => result.committed)).toHaveLength(1)
      expect(store.revision).toBe(2)
    })

    it('lost update: concurrent increments with retry all count', async () => {
      const store = await open()
      const increment = async (): Promise<void> => {
        const entry = await store.get('/counter')
        const result = await store.transact({
          conditions: [{ key: '/counter', modRevision: entry?.modRevision ?? 0 }],
          writes: [put('/counter', String(Number(entry ? text(entry.value) : 0) + 1))],
        })
        if (!result.committed) await increment()
      }
      await Promise.all(Array.from({ length: 20 }, increment))
      expect(await keysAndValues(store, '/counter')).toEqual([['/counter', '20']])
    })

    it('create race: of concurrent creates of one key, one wins and the others see its entry', async () => {
      const store = await open()
      const create = (value: string) =>
        store.transact({ conditions: [{ key: '/a', modRevision: 0 }], writes: [put('/a', value)] })
      const results = await Promise.all(['x', 'y', 'z'].map(create))
      expect(results.map((result) => result.committed)).toEqual([true, false, false])
      expect(results[1]).toMatchObject({ failed: [{ key: '/a', entry: { modRevision: 1 } }] })
    })

    it('dirty read: a refused transaction leaves no trace', async () => {
      const store = await open()
      await write(store, put('/a', '1'))
      const result = await store.transact({
        conditions: [
          { key: '/a', modRevision: 1 },
          { key: '/b', modRevision: 7 },
        ],
        writes: [put('/a', '2'), put('/c', '2')],
      })
      expect(result).toEqual({ committed: false, failed: [{ key: '/b', entry: undefined }] })
      expect(await keysAndValues(store, '/')).toEqual([['/a', '1']])
      expect(store.revision).toBe(1)
    })

    it('fractured read: the keys of one transaction are seen together', async () => {
      const store = await open()
      await write(store, put('/x', '0'), put('/y', '0'))
      let stop = false
      const writing = (async () => {
        for (let round = 1; !stop; round++) await write(store, put('/x', String(round)), put('/y', String(round)))
      })()
      for (let round = 0; round < 200; round++) {
        const [x, y] = await keysAndValues(store, '/')
        expect(x?.[1]).toBe(y?.[1])
      }
      stop = true
      await writing
    })

    it('phantom: pages at a pinned revision show neither later creates nor later deletes', async () => {
      const store = await open()
      const names = Array.from({ length: 60 }, (_, index) => `/p/${String(index).padStart(3, '0')}`)
      for (const key of names) await write(store, put(key, 'old'))
      const seen: string[] = []
      let page = await store.range({ prefix: '/p/', limit: 7 })
      const { revision } = page
      for (let round = 0; ; round++) {
        seen.push(...page.entries.map((entry) => `${entry.key}=${text(entry.value)}`))
        expect(page.remaining ?? 0).toBe(names.length - seen.length)
        if (page.remaining === undefined) break
        await write(store, put(`/p/${round}-new`, 'new'), del(names[round * 6] ?? ''), put(names[59 - round] ?? '', 'changed'))
        await write(store, put(names[round * 6] ?? '', 'again'))
        page = await store.range({ prefix: '/p/', limit: 7, startAfter: page.entries.at(-1)?.key, atRevision: revision })
      }
      expect(seen).toEqual(names.map((key) => `${key}=old`))
    })

    it('read your writes: an acknowledged write is in the next read and in the revision', async () => {
      const store = await open()
      for (let round = 1; round <= 20; round++) {
        const revision = committed(await write(store, put('/a', String(round))))
        expect(store.revision).toBeGreaterThanOrEqual(revision)
        expect((await store.range({ prefix: '/' })).revision).toBeGreaterThanOrEqual(revision)
        expect(await keysAndValues(store, '/a')).toEqual([['/a', String(round)]])
      }
    })
  })

  describe(`${name}: ranges`, () => {
    it('are in key order, within the prefix, after startAfter, up to the limit, with the number that remains', async () => {
      const store = await open()
      await write(store, ...['/a/2', '/a/1', '/a/10', '/ab', '/b/1', '/a'].map((key) => put(key, key)))
      const keys = async (query: Parameters<Store['range']>[0]) => {
        const { entries, remaining } = await store.range(query)
        return [entries.map((entry) => entry.key), remaining]
      }
      expect(await keys({ prefix: '/a/' })).toEqual([['/a/1', '/a/10', '/a/2'], undefined])
      expect(await keys({ prefix: '/a/', limit: 2 })).toEqual([['/a/1', '/a/10'], 1])
      expect(await keys({ prefix: '/a/', limit: 3 })).toEqual([['/a/1', '/a/10', '/a/2'], undefined])
      expect(await keys({ prefix: '/a/', startAfter: '/a/1' })).toEqual([['/a/10', '/a/2'], undefined])
      expect(await keys({ prefix: '/a/', startAfter: '/a/2' })).toEqual([[], undefined])
      expect(await keys({ prefix: '/a/', startAfter: '/b' })).toEqual([[], undefined])
      expect(await keys({ prefix: '/none/' })).toEqual([[], undefined])
      expect(await keys({ prefix: '', limit: 1 })).toEqual([['/a'], 5])
    })

    it('hold 10,000 keys', async () => {
      const store = await open()
      const names = Array.from({ length: 10_000 }, (_, index) => `/many/${String(index).padStart(5, '0')}`)
      await Promise.all(names.map((key) => write(store, put(key, key))))
      const { entries, revision } = await store.range({ prefix: '/many/' })
      expect(entries.map((entry) => entry.key)).toEqual(names)
      expect(revision).toBe(10_000)
      expect(await store.range({ prefix: '/many/', limit: 500 })).toMatchObject({ remaining: 9500 })
    })

    it('refuse a revision that is not yet', async () => {
      const store = await open()
      await write(store, put('/a', '1'))
      await expect(store.range({ prefix: '/', atRevision: 2 })).rejects.toThrow('in the future')
    })

    it('any past revision equals what a model held then', async () => {
      const operation = fc.record({
        key: fc.constantFrom('/m/a', '/m/b', '/m/bb', '/m/c'),
        value: fc.option(fc.string(), { nil: undefined }),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { maxLength: 15 }),
          async (transactions) => {
            const store = await open()
            const states = [new Map<string, string>()]
            for (const operations of transactions) {
              const unique = new Map(operations.map(({ key, value }) => [key, value]))
              const before = states.at(-1)!
              const next = new Map(before)
              for (const [key, value] of unique) {
                if (value === undefined) next.delete(key)
                else next.set(key, value)
              }
              await write(store, ...[...unique].map(([key, value]) => (value === undefined ? del(key) : put(key, value))))
              if (store.revision === states.length) states.push(next)
            }
            for (const [revision, state] of states.entries()) {
              expect(await keysAndValues(store, '/m/', revision)).toEqual([...state].sort(([a], [b]) => (a < b ? -1 : 1)))
              const page = await store.range({ prefix: '/m/', limit: 1, atRevision: revision })
              expect(page.remaining ?? 0).toBe(Math.max(0, state.size - 1))
            }
          },
        ),
        { numRuns: 25 },
      )
    })
  })

  describe(`${name}: keys and values`, () => {
    const hostile = ['__proto__', 'constructor', '/ü/é', '/emoji/😀', '/a b', '/%2F', '/\u0001', '/\uffff', `/${'x'.repeat(900)}`]
    it.each(hostile)('stores and finds the key %j', async (key) => {
      const store = await open()
      await write(store, put(key, 'value'))
      expect(await keysAndValues(store, key)).toEqual([[key, 'value']])
      expect(await keysAndValues(store, '')).toEqual([[key, 'value']])
    })

    it.each([
      ['empty', ''],
      ['NUL', '/a\0b'],
      ['half a surrogate pair', '/\ud800'],
      ['2,000 bytes', 'k'.repeat(2000)],
    ])('refuses a key that cannot be stored: %s', async (_, key) => {
      const store = await open()
      await expect(write(store, put(key, 'x'))).rejects.toThrow(RangeError)
      await expect(store.get(key)).rejects.toThrow(RangeError)
      expect(store.revision).toBe(0)
    })

    it('refuses one key written twice in a transaction', async () => {
      const store = await open()
      await expect(write(store, put('/a', '1'), put('/a', '2'))).rejects.toThrow('written twice')
    })

    it.each([0, 1, 4095, 4096, 3_000_000])('keeps a value of %i bytes', async (size) => {
      const store = await open()
      const value = Buffer.alloc(size, 0x80)
      await store.transact({ conditions: [], writes: [{ type: 'put', key: '/v', value }] })
      expect(Buffer.from((await store.get('/v'))!.value).equals(value)).toBe(true)
    })
  })

  describe(`${name}: watch`, () => {
    it('gives past changes and then new ones, with what was before', async () => {
      const store = await open()
      await write(store, put('/w/a', '1'))
      await write(store, put('/w/a', '2'), put('/w/b', '1'), put('/other', '1'))
      const taking = takeChanges(store.watch('/w/', 0, new AbortController().signal), 5)
      await write(store, del('/w/a'))
      await write(store, put('/w/a', '3'))
      expect(await taking).toEqual([
        '1 put /w/a=1 was absent',
        '2 put /w/a=2 was 1',
        '2 put /w/b=1 was absent',
        '3 delete /w/a was 2',
        '4 put /w/a=3 was absent',
      ])
    })

    it('one batch holds the changes of one transaction', async () => {
      const store = await open()
      await write(store, put('/w/a', '1'), put('/w/b', '1'), put('/x', '1'))
      for await (const batch of store.watch('/w/', 0, new AbortController().signal)) {
        expect(batch.revision).toBe(1)
        expect(wordsOf(batch)).toEqual(['1 put /w/a=1 was absent', '1 put /w/b=1 was absent'])
        break
      }
    })

    it('resumes from any revision without gap or duplicate, while writes go on', async () => {
      const store = await open()
      const total = 400
      const writing = (async () => {
        for (let round = 1; round <= total; round += 4) {
          await Promise.all([0, 1, 2, 3].map((step) => write(store, put(`/w/${(round + step) % 7}`, String(round + step)))))
        }
      })()
      const seen: Revision[] = []
      let last = 0
      while (last < total) {
        let taken = 0
        for await (const batch of store.watch('/w/', last, new AbortController().signal)) {
          seen.push(batch.revision)
          last = batch.revision
          if (++taken === 9 || last === total) break
        }
      }
      await writing
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => index + 1))
    })

    it('from a revision that is not yet begins after it', async () => {
      const store = await open()
      const taking = takeChanges(store.watch('/', 2, new AbortController().signal), 1)
      for (const value of ['1', '2', '3']) await write(store, put('/a', value))
      expect(await taking).toEqual(['3 put /a=3 was 2'])
    })

    it('ends when aborted while it waits, and when aborted before', async () => {
      const store = await open()
      const controller = new AbortController()
      const taking = takeChanges(store.watch('/', 0, controller.signal), 1)
      const late = takeChanges(store.watch('/', 0, AbortSignal.abort()), 1)
      controller.abort()
      expect(await taking).toEqual([])
      expect(await late).toEqual([])
    })

    it('cuts off a reader that does not read, and lets it come back', async () => {
      const store = await open({ maxBufferedChanges: 10 })
      const watch = store.watch('/', 0, new AbortController().signal)[Symbol.asyncIterator]()
      const first = watch.next()
      for (let round = 0; round < 20; round++) await write(store, put('/a', String(round)))
      expect((await first).value.revision).toBe(1)
      await expect(watch.next()).rejects.toThrow(TooSlowError)
      expect(await takeChanges(store.watch('/', 1, new AbortController().signal), 19)).toHaveLength(19)
    })

    it('a slow reader does not slow the others', async () => {
      const store = await open({ maxBufferedChanges: 10 })
      const slow = store.watch('/', 0, new AbortController().signal)[Symbol.asyncIterator]()
      const slowFirst = slow.next()
      const quick = takeChanges(store.watch('/', 0, new AbortController().signal), 50)
      for (let round = 0; round < 50; round++) await write(store, put('/a', String(round)))
      expect(await quick).toHaveLength(50)
      await slowFirst
    })
  })

  describe(`${name}: compaction`, () => {
    const written = async (store: Store, count: number): Promise<void> => {
      for (let round = 1; round <= count; round++)
        await write(store, put('/a', String(round)), put(`/b/${round % 3}`, String(round)))
    }

    it('keeps what is present and what is younger, refuses what is older', async () => {
      const store = await open()
      await written(store, 10)
      await store.compact(6)
      expect(await keysAndValues(store, '/a')).toEqual([['/a', '10']])
      expect(await keysAndValues(store, '/', 6)).toEqual([
        ['/a', '6'],
        ['/b/0', '6'],
        ['/b/1', '4'],
        ['/b/2', '5'],
      ])
      await expect(store.range({ prefix: '/', atRevision: 5 })).rejects.toThrow(new CompactedError(6))
      await expect(takeChanges(store.watch('/', 5, new AbortController().signal), 1)).rejects.toThrow(CompactedError)
      expect(await takeChanges(store.watch('/a', 6, new AbortController().signal), 4)).toHaveLength(4)
      expect(store.revision).toBe(10)
    })

    it('of everything leaves no way to read the past and no gap in the future', async () => {
      const store = await open()
      await written(store, 5)
      await store.compact(99)
      await store.compact(2)
      await expect(store.range({ prefix: '/', atRevision: 4 })).rejects.toThrow(new CompactedError(5))
      const taking = takeChanges(store.watch('/a', 5, new AbortController().signal), 1)
      expect(await write(store, put('/a', 'next'))).toEqual({ committed: true, revision: 6 })
      expect(await taking).toEqual(['6 put /a=next was 5'])
    })

    it('by count happens while writing', async () => {
      const store = await open({ maxRevisions: 50 })
      await written(store, 500)
      await expect(store.range({ prefix: '/', atRevision: 200 })).rejects.toThrow(CompactedError)
      expect(await keysAndValues(store, '/a', 460)).toEqual([['/a', '460']])
    })

    it('by age happens without writes', async () => {
      const clock = pausedClock()
      const store = await open({ clock, maxAgeMs: 5 * MINUTE_MS })
      await written(store, 300)
      await clock.advance(4 * MINUTE_MS)
      await write(store, put('/young', '1'))
      expect(await keysAndValues(store, '/a', 1)).toEqual([['/a', '1']])
      await clock.advance(2 * MINUTE_MS)
      await expect
        .poll(() => store.range({ prefix: '/', atRevision: 299 }).catch((error: unknown) => error))
        .toBeInstanceOf(CompactedError)
      expect(await keysAndValues(store, '/young', 301)).toEqual([['/young', '1']])
    })
  })

  describe(`${name}: close`, () => {
    it('finishes the writes that wait, ends watches, and refuses what comes later', async () => {
      const store = await open()
      const writes = Promise.all(Array.from({ length: 50 }, (_, index) => write(store, put(`/k/${index}`, 'x'))))
      const watching = takeChanges(store.watch('/none', 0, new AbortController().signal), 1)
      const failed = expect(watching).rejects.toThrow('closed')
      await store.close()
      expect((await writes).every((result) => result.committed)).toBe(true)
      await failed
      await expect(write(store, put('/a', '1'))).rejects.toThrow('closed')
      await expect(store.get('/a')).rejects.toThrow('closed')
      await expect(store.range({ prefix: '/' })).rejects.toThrow('closed')
      await store.close()
    })
  })
}
