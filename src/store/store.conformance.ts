import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store } from './store.ts'
import { committed, del, keysAndValues, opener, put, type StoreHarness, text, write } from './testing/store-fixtures.ts'

/** The contract of store.ts, for every implementation; what is watched and forgotten is in watch.conformance.ts. */
export const storeConformance = (name: string, harness: StoreHarness): void => {
  const open = opener(harness)

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
}
