import { expect, test } from 'vitest'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { next, startTestServer } from './testing/test-server.ts'

test('events go an hour after they were last seen', async () => {
  const clock = pausedClock()
  const api = await startTestServer({ clock })
  const event = (name: string) =>
    api.ask({
      verb: 'create',
      resource: 'events',
      namespace: 'default',
      body: { metadata: { name }, involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' }, reason: 'Test' },
    })
  await event('old')
  await clock.advance(30 * 60_000)
  await event('young')
  const events = await api.watch({ resource: 'events', query: { resourceVersion: String(api.store.revision) } })
  await clock.advance(32 * 60_000)
  expect(await next(events)).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'old' } } })
  expect((await api.ask({ verb: 'list', resource: 'events' })).items).toHaveLength(1)
  await api.stop()
})
