import { describe, expect, it } from 'vitest'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { CompactedError, type Revision, type Store, TooSlowError } from './store.ts'
import {
  del,
  keysAndValues,
  MINUTE_MS,
  opener,
  put,
  type StoreHarness,
  takeChanges,
  wordsOf,
  write,
} from './testing/store-fixtures.ts'

/** The contract of store.ts for watches, compaction and the end, for every implementation. */
export const watchConformance = (name: string, harness: StoreHarness): void => {
  const open = opener(harness)

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
