import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiError, type Secret, secretKind } from '../../api/index.ts'
import { realClock, silentLogger } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { ConnectionError } from '../../client/index.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { createReferencedInformer } from './referenced-informer.ts'

const secret = (namespace: string, name: string, value = 'a'): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name },
  data: { value },
})
const forbidden = (name: string) => new ApiError({ code: 403, reason: 'Forbidden', message: `secrets "${name}" is forbidden` })

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const start = async (api: FakeApi, clock = pausedClock()) => {
  const informer = createReferencedInformer({ client: api.client, kind: secretKind, clock, log: silentLogger, random: () => 0.5 })
  const changes: string[] = []
  informer.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`))
  const refusals: string[] = []
  informer.onRefusal((key) => refusals.push(`${key} ${informer.refusal(key) === undefined ? 'ended' : 'began'}`))
  const abort = new AbortController()
  const { stopped } = await informer.start(abort.signal)
  const stop = async (): Promise<void> => {
    abort.abort()
    await stopped
  }
  stops.push(stop)
  return { informer, changes, refusals, clock, stop, ready: () => informer.ready(abort.signal) }
}

const world = (...secrets: readonly Secret[]): FakeApi => {
  const api = fakeApi()
  for (const each of secrets) api.put(secretKind, each)
  return api
}

describe('a referenced informer', () => {
  it('asks for what it was told of by name, and for nothing else', async () => {
    const api = world(secret('a', 'one'), secret('a', 'two'), secret('b', 'one'))
    const { informer, ready } = await start(api)
    expect(api.requests).toEqual([])
    informer.follow(['a/one', 'b/gone'])
    await ready()
    expect(informer.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(['a/one'])
    expect(api.requests.map(({ verb, namespace, query }) => [verb, namespace, query['fieldSelector']])).toEqual([
      ['watch', 'a', 'metadata.name=one'],
      ['watch', 'b', 'metadata.name=gone'],
    ])
  })

  it('follows each, and one that comes later', async () => {
    const api = world(secret('a', 'one'))
    const { informer, ready, changes, clock } = await start(api)
    informer.follow(['a/one', 'a/late'])
    await ready()
    api.put(secretKind, secret('a', 'late'))
    api.put(secretKind, secret('a', 'one', 'b'))
    api.put(secretKind, secret('a', 'other'))
    api.remove(secretKind, { namespace: 'a', name: 'late' })
    await clock.advance(0)
    expect(changes).toEqual(['added one', 'added late', 'updated one', 'deleted late'])
  })

  it('ends the watch of one that is no longer referred to, and keeps those of the others', async () => {
    const api = world(secret('a', 'one'), secret('a', 'two'))
    const { informer, ready, changes, clock } = await start(api)
    informer.follow(['a/one', 'a/two'])
    await ready()
    informer.follow(['a/two'])
    await clock.advance(0)
    expect(api.openWatches).toBe(1)
    expect(informer.get('a', 'one')).toBeUndefined()
    expect(api.requests).toHaveLength(2)
    expect(changes).toEqual(['added one', 'added two', 'deleted one'])
  })

  it('is ready also when one is refused, which harms no other; a right that comes later is used', async () => {
    const api = world(secret('a', 'one'), secret('a', 'two'))
    api.intercept = ({ query }) => {
      if (query['fieldSelector'] === 'metadata.name=two') throw forbidden('two')
    }
    const { informer, ready, refusals, clock } = await start(api)
    informer.follow(['a/one', 'a/two'])
    await ready()
    expect(informer.get('a', 'one')).toBeDefined()
    expect(informer.refusal('a/two')).toBe('secrets "two" is forbidden')
    expect(informer.refusal('a/one')).toBeUndefined()
    api.intercept = undefined
    await clock.advance(60_000)
    expect(informer.get('a', 'two')).toBeDefined()
    expect(refusals).toEqual(['a/two began', 'a/two ended'])
  })

  it('keeps what it knows when the right to read it is taken away', async () => {
    const api = world(secret('a', 'one'))
    const { informer, ready, refusals, clock } = await start(api)
    informer.follow(['a/one'])
    await ready()
    api.intercept = () => {
      throw forbidden('one')
    }
    api.breakWatches()
    await clock.advance(60_000)
    expect(informer.get('a', 'one')).toBeDefined()
    expect(refusals).toEqual([])
  })

  it('is not ready while the server is away', async () => {
    const api = world(secret('a', 'one'))
    api.intercept = () => {
      throw new ConnectionError('down')
    }
    const { informer, ready, clock } = await start(api)
    informer.follow(['a/one'])
    let isReady = false
    const waiting = ready().then(() => {
      isReady = true
    })
    await clock.advance(10_000)
    expect(isReady).toBe(false)
    api.intercept = undefined
    await clock.advance(60_000)
    await waiting
    expect(informer.get('a', 'one')).toBeDefined()
  })

  it('reads nothing before its start, and ends everything at its stop', async () => {
    const api = world(secret('a', 'one'))
    const informer = createReferencedInformer({ client: api.client, kind: secretKind, clock: realClock, log: silentLogger })
    informer.follow(['a/one'])
    expect(api.requests).toEqual([])
    const abort = new AbortController()
    const { stopped } = await informer.start(abort.signal)
    await informer.ready(abort.signal)
    abort.abort()
    await stopped
    expect(api.openWatches).toBe(0)
  })

  it('after any history holds what is referred to and there, with one watch for each reference', async () => {
    const names = ['a/x', 'a/y', 'b/x', 'b/y']
    const step = fc.oneof(
      fc.record({ follow: fc.subarray(names) }),
      fc.record({ put: fc.constantFrom(...names), value: fc.constantFrom('1', '2') }),
      fc.record({ remove: fc.constantFrom(...names) }),
      fc.constant('break' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
        const api = world()
        const { informer, ready, clock, stop } = await start(api)
        let followed: readonly string[] = []
        for (const each of steps) {
          if (each === 'break') api.breakWatches()
          else if ('follow' in each) {
            followed = each.follow
            informer.follow(followed)
          } else {
            const [namespace = '', name = ''] = ('put' in each ? each.put : each.remove).split('/')
            if ('put' in each) api.put(secretKind, secret(namespace, name, each.value))
            else api.remove(secretKind, { namespace, name })
          }
        }
        await clock.advance(120_000)
        await ready()
        const there = api
          .objects<Secret>(secretKind)
          .filter(({ metadata }) => followed.includes(`${metadata.namespace}/${metadata.name}`))
        const text = (objects: readonly Secret[]) =>
          objects.map(({ metadata, data }) => `${metadata.namespace}/${metadata.name} ${data?.['value']}`).sort()
        expect(text(informer.list())).toEqual(text(there))
        expect(api.openWatches).toBe(new Set(followed).size)
        await stop()
      }),
      { numRuns: 60 },
    )
  })
})
