import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError, type ConfigMap, configMapKind } from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { type PausedClock, pausedClock } from '../base/testing/paused-clock.ts'
import { ConnectionError } from '../client/index.ts'
import { type FakeApi, type FakeApiOptions, fakeApi } from '../client/testing/index.ts'
import { createInformer } from './create-informer.ts'
import { configMap } from './informer.conformance.ts'
import type { Change, Informer } from './informer.ts'

interface Rig {
  readonly api: FakeApi
  readonly clock: PausedClock
  readonly informer: Informer<ConfigMap>
  readonly told: string[]
  start(): Promise<void>
  /** Requests since the last call: verb, and what tells them apart. */
  asked(): readonly string[]
}

const withRig = async (run: (rig: Rig) => Promise<void>, options: FakeApiOptions = {}): Promise<void> => {
  const clock = pausedClock()
  const api = fakeApi({ ...options, clock })
  const stop = new AbortController()
  const informer = createInformer({ client: api.client, kind: configMapKind, clock, log: silentLogger, random: () => 0.5 })
  const told: string[] = []
  informer.onChange(({ type, object }) => void told.push(`${type} ${object.metadata.name}`))
  let asked = 0
  let stopped: Promise<void> | undefined
  try {
    await run({
      api,
      clock,
      informer,
      told,
      start: async () => {
        stopped = (await informer.start(stop.signal)).stopped
        await clock.advance(0)
      },
      asked: () => {
        const news = api.requests.slice(asked)
        asked = api.requests.length
        return news.map(({ verb, query }) =>
          [
            verb,
            query['sendInitialEvents'] ? 'initial' : '',
            query['continue'] ? 'continued' : '',
            query['resourceVersion'] ? 'resumed' : '',
          ]
            .filter(Boolean)
            .join(' '),
        )
      },
    })
  } finally {
    stop.abort()
    await stopped
    expect(api.openWatches, 'watches left open').toBe(0)
  }
}

describe('reflector: first state', () => {
  it('streams it, asks for bookmarks and a timeout between 5 and 10 minutes', () =>
    withRig(async ({ api, informer, start, asked }) => {
      api.put(configMapKind, configMap('a'))
      await start()
      expect(asked()).toEqual(['watch initial'])
      expect(api.requests[0]?.query).toMatchObject({
        allowWatchBookmarks: 'true',
        resourceVersionMatch: 'NotOlderThan',
        timeoutSeconds: '450',
      })
      expect(informer.list()).toHaveLength(1)
    }))

  it.each([400, 422])('falls back to paged lists when the server answers %d', (code) =>
    withRig(async ({ api, informer, start, asked }) => {
      for (let i = 0; i < 1200; i++) api.put(configMapKind, configMap(`a${i}`))
      api.intercept = ({ query }) => {
        if (query['sendInitialEvents']) throw new ApiError({ code, message: 'no' })
      }
      await start()
      expect(asked()).toEqual(['watch initial', 'list', 'list continued', 'list continued', 'watch resumed'])
      expect(api.requests[1]?.query['limit']).toBe('500')
      expect(informer.list()).toHaveLength(1200)
    }),
  )

  it('lists all at once when a continue token expires', () =>
    withRig(
      async ({ api, informer, start, asked }) => {
        for (let i = 0; i < 700; i++) api.put(configMapKind, configMap(`a${i}`))
        api.intercept = ({ query }) => {
          if (query['continue']) throw new ApiError({ code: 410, reason: 'Expired', message: 'too old' })
        }
        await start()
        expect(asked()).toEqual(['watch initial', 'list', 'list continued', 'list', 'watch resumed'])
        expect(informer.list()).toHaveLength(700)
      },
      { watchList: false },
    ))

  it('is not synced while the server is away, and is once it comes', () =>
    withRig(async ({ api, clock, informer, start }) => {
      api.put(configMapKind, configMap('a'))
      api.intercept = () => {
        throw new ConnectionError('connection refused')
      }
      await start()
      await clock.advance(60_000)
      expect(informer.synced).toBe(false)
      api.intercept = undefined
      await clock.advance(40_000)
      expect(informer.synced).toBe(true)
      expect(informer.list()).toHaveLength(1)
    }))

  it('strips managedFields', () =>
    withRig(async ({ api, informer, start }) => {
      const object = configMap('a')
      api.put(configMapKind, { ...object, metadata: { ...object.metadata, managedFields: [{ manager: 'x' }] } })
      await start()
      api.put(configMapKind, { ...object, metadata: { ...object.metadata, name: 'b', managedFields: [{ manager: 'x' }] } })
      expect(informer.list().every((cached) => !('managedFields' in cached.metadata))).toBe(true)
      expect(api.objects(configMapKind)[0]?.metadata.managedFields).toHaveLength(1)
    }))
})

describe('reflector: broken connections', () => {
  it('resumes from the last revision without listing', () =>
    withRig(async ({ api, clock, told, start, asked }) => {
      api.put(configMapKind, configMap('a'))
      await start()
      api.breakWatches()
      await clock.advance(0)
      api.put(configMapKind, configMap('b'))
      await clock.advance(2_000)
      expect(asked()).toEqual(['watch initial', 'watch resumed'])
      expect(told).toEqual(['added a', 'added b'])
    }))

  it('resumes from a bookmark when nothing of its own changed', () =>
    withRig(async ({ api, clock, start, asked, told }) => {
      await start()
      api.put(configMapKind, configMap('a'))
      api.remove(configMapKind, configMap('a').metadata)
      api.sendBookmarks()
      await clock.advance(0)
      api.breakWatches()
      api.compact()
      await clock.advance(2_000)
      expect(asked()).toEqual(['watch initial', 'watch resumed'])
      expect(told).toEqual(['added a', 'deleted a'])
    }))

  it.each(['answer', 'stream'] as const)('lists again after 410 in the %s, and tells what differs', (expiredIn) =>
    withRig(
      async ({ api, clock, told, start, asked }) => {
        api.put(configMapKind, configMap('gone'))
        api.put(configMapKind, configMap('same'))
        api.put(configMapKind, configMap('changed', { v: '1' }))
        await start()
        told.length = 0
        api.breakWatches()
        await clock.advance(0)
        api.remove(configMapKind, { namespace: 'default', name: 'gone' })
        api.put(configMapKind, configMap('changed', { v: '2' }))
        api.put(configMapKind, configMap('new'))
        api.compact()
        await clock.advance(2_000)
        expect(asked()).toEqual(['watch initial', 'watch resumed', 'watch initial'])
        expect(told).toEqual(['deleted gone', 'updated changed', 'added new'])
      },
      { expiredIn },
    ),
  )

  it('tells deletion and addition when an object was replaced by another of its name', () =>
    withRig(async ({ api, clock, told, start }) => {
      api.put(configMapKind, configMap('a'))
      await start()
      told.length = 0
      api.breakWatches()
      await clock.advance(0)
      api.remove(configMapKind, { namespace: 'default', name: 'a' })
      api.put(configMapKind, configMap('a'))
      api.compact()
      await clock.advance(2_000)
      expect(told).toEqual(['deleted a', 'added a'])
    }))

  it('notices a half-open stream by its silence', () =>
    withRig(async ({ api, clock, told, start, asked }) => {
      await start()
      api.breakWatches('silent')
      api.put(configMapKind, configMap('a'))
      await clock.advance(149_000)
      expect(told).toEqual([])
      await clock.advance(2_000)
      expect(told).toEqual(['added a'])
      expect(asked()).toEqual(['watch initial', 'watch resumed'])
    }))

  it('leaves a stream alone that has bookmarks', () =>
    withRig(async ({ api, clock, start, asked }) => {
      await start()
      for (let i = 0; i < 10; i++) {
        await clock.advance(100_000)
        api.sendBookmarks()
        await clock.advance(0)
      }
      expect(asked()).toEqual(['watch initial'])
    }))

  it('connects again at once when the server ends a long watch', () =>
    withRig(async ({ api, clock, start, asked }) => {
      await start()
      await clock.advance(120_000)
      api.breakWatches('clean')
      await clock.advance(0)
      expect(asked()).toEqual(['watch initial', 'watch resumed'])
    }))

  it('backs off from 0.8 s to 30 s, and starts anew after a healthy stream', () =>
    withRig(async ({ api, clock, start, asked }) => {
      await start()
      asked()
      api.intercept = () => {
        throw new ConnectionError('connection refused')
      }
      api.breakWatches()
      const counts: number[] = []
      for (const ms of [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
        await clock.advance(ms - 1)
        const early = asked().length
        await clock.advance(1)
        counts.push(early * 10 + asked().length)
      }
      expect(counts).toEqual([1, 1, 1, 1, 1, 1, 1, 1])
      api.intercept = undefined
      await clock.advance(60_000)
      asked()
      api.breakWatches()
      await clock.advance(800)
      expect(asked()).toHaveLength(1)
    }))

  it('waits as long as 429 says', () =>
    withRig(async ({ api, clock, start, asked }) => {
      api.intercept = () => {
        throw new ApiError({ code: 429, reason: 'TooManyRequests', message: 'slow down', details: { retryAfterSeconds: 20 } })
      }
      await start()
      asked()
      await clock.advance(19_000)
      expect(asked()).toEqual([])
      await clock.advance(1_000)
      expect(asked()).toEqual(['watch initial'])
    }))

  it('goes on without a pause when a server answers 410 once, and slows down when it does for ever', () =>
    withRig(async ({ api, clock, start, asked }) => {
      api.intercept = () => {
        throw new ApiError({ code: 410, reason: 'Expired', message: 'too old' })
      }
      await start()
      expect(asked().length).toBe(2)
      await clock.advance(60_000)
      expect(asked().length).toBeLessThan(9)
    }))
})

describe('reflector: any history', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), name, v: fc.nat(3) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('broken' as const, 'clean' as const, 'silent' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('compact' as const, 'bookmark' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), code: fc.constantFrom(0, 410, 429, 500) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 500, 3_000, 200_000) }) },
  )

  it('ends with the state of the server, and handlers see a sequence that makes sense', async () => {
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.boolean(),
      fc.constantFrom('answer' as const, 'stream' as const),
      (steps, watchList, expiredIn) =>
        withRig(
          async ({ api, clock, informer, start }) => {
            const mirror = new Map<string, ConfigMap>()
            informer.onChange((change) => follow(mirror, change))
            await start()
            for (const action of steps) {
              if (action.do === 'put') api.put(configMapKind, configMap(action.name, { v: String(action.v) }))
              else if (action.do === 'remove') api.remove(configMapKind, { namespace: 'default', name: action.name })
              else if (action.do === 'compact') api.compact()
              else if (action.do === 'bookmark') api.sendBookmarks()
              else if (action.do === 'wait') await clock.advance(action.ms)
              else if (action.do === 'fail') api.intercept = failing(action.code)
              else api.breakWatches(action.do)
            }
            api.intercept = undefined
            await clock.advance(600_000)
            const expected = api
              .objects(configMapKind)
              .map(({ metadata }) => [metadata.name, metadata.resourceVersion, metadata.uid])
            const show = (objects: readonly ConfigMap[]): unknown[] =>
              objects
                .map(({ metadata }) => [metadata.name, metadata.resourceVersion, metadata.uid])
                .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
            expect(show(informer.list())).toEqual(expected)
            expect(show([...mirror.values()])).toEqual(expected)
          },
          { watchList, expiredIn },
        ),
    )
    await fc.assert(property, { numRuns: 300 })
  })
})

const failing = (code: number) => (): void => {
  if (code === 0) throw new ConnectionError('connection refused')
  throw new ApiError({ code, ...(code === 410 ? { reason: 'Expired' as const } : {}), message: `answer ${code}` })
}

/** What a consumer may rely on: nothing is added twice, updated or deleted without being there, and `previous` is what it last saw. */
const follow = (mirror: Map<string, ConfigMap>, change: Change<ConfigMap>): void => {
  const { name, uid } = change.object.metadata
  const known = mirror.get(name)
  if (change.type === 'added') expect(known).toBeUndefined()
  else expect(known?.metadata.uid).toBe(uid)
  if (change.type === 'updated') expect(change.previous).toBe(known)
  if (change.type === 'deleted') mirror.delete(name)
  else mirror.set(name, change.object)
}
