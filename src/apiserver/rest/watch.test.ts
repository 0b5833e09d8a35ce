import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { configMap, next, nextNames, startTestServer, type TestServer } from '../testing/test-server.ts'

let api: TestServer
const clock = pausedClock()
beforeAll(async () => {
  api = await startTestServer({ clock })
})
afterAll(() => api.stop())

const inDefault = { resource: 'configmaps', namespace: 'default' } as const
const create = (name: string, labels = {}) => api.ask({ ...inDefault, verb: 'create', body: configMap(name, {}, { labels }) })
const put = (name: string, labels = {}) => api.ask({ ...inDefault, verb: 'update', name, body: configMap(name, {}, { labels }) })
const remove = (name: string) => api.ask({ ...inDefault, verb: 'delete', name })
const now = (): Readonly<Record<string, string>> => ({ resourceVersion: String(api.store.revision) })

describe('watch', () => {
  test('after a revision: what changed since, in order, each with the revision of its change', async () => {
    const query = now()
    await create('first')
    await put('first', { a: 'b' })
    await remove('first')
    const events = await api.watch({ ...inDefault, query })
    const seen = [await next(events), await next(events), await next(events)]
    expect(seen.map((event) => event.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
    const revisions = seen.map((event) => Number(event.object.metadata.resourceVersion))
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b))
    expect(revisions[2]).toBe(api.store.revision)
    await events.return?.()
  })

  test('without a revision: the present objects, then what changes', async () => {
    await create('present')
    const events = await api.watch(inDefault)
    expect(await nextNames(events, 1)).toEqual(['ADDED present'])
    await remove('present')
    expect(await nextNames(events, 1)).toEqual(['DELETED present'])
    await events.return?.()
  })

  test('sendInitialEvents closes the present objects with an annotated bookmark', async () => {
    await create('initial')
    const query = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: 'true' }
    const events = await api.watch({ ...inDefault, query })
    expect(await nextNames(events, 1)).toEqual(['ADDED initial'])
    expect(await next(events)).toMatchObject({
      type: 'BOOKMARK',
      object: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { annotations: { 'k8s.io/initial-events-end': 'true' }, resourceVersion: String(api.store.revision) },
      },
    })
    await remove('initial')
    expect(await nextNames(events, 1)).toEqual(['DELETED initial'])
    await events.return?.()
  })

  test('objects appear and disappear as they begin and cease to be selected', async () => {
    const events = await api.watch({ ...inDefault, query: { ...now(), labelSelector: 'in=yes' } })
    await create('moving')
    await put('moving', { in: 'yes' })
    await put('moving', { in: 'yes', more: 'x' })
    await put('moving', { in: 'no' })
    await remove('moving')
    await create('last', { in: 'yes' })
    expect(await nextNames(events, 4)).toEqual(['ADDED moving', 'MODIFIED moving', 'DELETED moving', 'ADDED last'])
    await remove('last')
    await events.return?.()
  })

  test('one object by name', async () => {
    const events = await api.watch({ ...inDefault, query: { ...now(), fieldSelector: 'metadata.name=wanted' } })
    await create('other')
    await create('wanted')
    expect(await nextNames(events, 1)).toEqual(['ADDED wanted'])
    await remove('other')
    await remove('wanted')
    await events.return?.()
  })

  test('another namespace and another kind are not seen', async () => {
    const events = await api.watch({ ...inDefault, query: now() })
    await api.ask({ verb: 'create', resource: 'configmaps', namespace: 'kube-system', body: configMap('elsewhere') })
    await api.ask({ verb: 'create', resource: 'secrets', namespace: 'default', body: { metadata: { name: 'secret' } } })
    await create('here')
    expect(await nextNames(events, 1)).toEqual(['ADDED here'])
    await remove('here')
    await events.return?.()
  })

  test('bookmarks come about every minute, with the revision of everything', async () => {
    const events = await api.watch({ ...inDefault, query: { ...now(), allowWatchBookmarks: 'true' } })
    const waiting = next(events)
    await api.ask({ verb: 'create', resource: 'secrets', namespace: 'default', body: { metadata: { name: 'unrelated' } } })
    await api.ask({ verb: 'list', resource: 'secrets' })
    await clock.advance(60_000)
    expect(await waiting).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { resourceVersion: String(api.store.revision) } },
    })
    await events.return?.()
  })

  test('it ends after timeoutSeconds, with a bookmark for those who take them', async () => {
    const events = await api.watch({ ...inDefault, query: { ...now(), timeoutSeconds: '5', allowWatchBookmarks: 'true' } })
    const waiting = next(events)
    await clock.advance(5_000)
    expect((await waiting).type).toBe('BOOKMARK')
    expect((await events.next()).done).toBe(true)
  })

  test('it ends when its client goes', async () => {
    const gone = new AbortController()
    const events = await api.watch({ ...inDefault, query: now(), signal: gone.signal })
    const waiting = events.next()
    gone.abort()
    expect((await waiting).done).toBe(true)
  })

  test('a revision that is no longer known is an ERROR event with 410', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fairway-watch-'))
    try {
      const before = await startTestServer({ path: folder })
      await before.ask({ ...inDefault, verb: 'create', body: configMap('x') })
      await before.store.compact(before.store.revision)
      await before.stop()
      const after = await startTestServer({ path: folder })
      const events = await after.watch({ ...inDefault, query: { resourceVersion: '1' } })
      expect(await next(events)).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
      await after.stop()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('a watch from before a restart goes on where it was', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fairway-watch-'))
    try {
      const before = await startTestServer({ path: folder })
      const created = await before.ask({ ...inDefault, verb: 'create', body: configMap('x') })
      await before.ask({ ...inDefault, verb: 'update', name: 'x', body: configMap('x', { a: 'b' }) })
      await before.ask({ ...inDefault, verb: 'delete', name: 'x' })
      await before.stop()
      const after = await startTestServer({ path: folder })
      const events = await after.watch({ ...inDefault, query: { resourceVersion: created.metadata.resourceVersion } })
      await after.ask({ ...inDefault, verb: 'create', body: configMap('y') })
      expect(await nextNames(events, 3)).toEqual(['MODIFIED x', 'DELETED x', 'ADDED y'])
      await after.stop()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('a watcher that does not read is cut off when the events have left it behind, and holds nothing until then', async () => {
    const events = await api.watch({ ...inDefault, query: now() })
    await create('storm')
    await next(events)
    const names = Array.from({ length: 100 }, (_, index) => `storm-${index}`)
    await Promise.all(names.map((name) => create(name)))
    for (let round = 0; round < 83; round++) await Promise.all(names.map((name) => put(name, { round: String(round) })))
    await api.ask({ ...inDefault, verb: 'list' })
    expect((await events.next()).done).toBe(true)
  }, 60_000)

  test.each([
    ['initial events without a match', { sendInitialEvents: 'true', allowWatchBookmarks: 'true' }],
    ['initial events without bookmarks', { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }],
    ['a match without initial events', { resourceVersionMatch: 'NotOlderThan', resourceVersion: '1' }],
  ])('refuses %s', async (_, query) => {
    await expect(api.watch({ ...inDefault, query })).rejects.toMatchObject({ code: 422, reason: 'Invalid' })
  })
})
