import { describe, expect, it } from 'vitest'
import { eventKind, type Pod } from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { ConnectionError } from './client.ts'
import { createEventRecorder } from './events.ts'
import { fakeApi } from './testing/index.ts'

const pod = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '7' },
  spec: { containers: [] },
})

const rig = () => {
  const clock = pausedClock(Date.UTC(2026, 0, 1))
  const api = fakeApi({ clock })
  const recorder = createEventRecorder({ client: api.client, component: 'tester', host: 'one', clock, log: silentLogger })
  const texts = () => api.objects(eventKind).map(({ count, message }) => `${count}x ${message}`)
  return { clock, api, recorder, texts }
}

describe('event recorder', () => {
  it('makes an Event that kubectl describe finds', async () => {
    const { api, recorder } = rig()
    recorder.event(pod('a'), { type: 'Warning', reason: 'Failed', message: 'it failed' })
    await recorder.flush()
    expect(api.objects(eventKind)).toMatchObject([
      {
        metadata: { namespace: 'shop', name: expect.stringMatching(/^a\.[0-9a-f]{15,}$/) },
        involvedObject: { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'uid-a', apiVersion: 'v1' },
        type: 'Warning',
        reason: 'Failed',
        message: 'it failed',
        source: { component: 'tester', host: 'one' },
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      },
    ])
  })

  it('raises the count of a repeat, also of many at once', async () => {
    const { clock, api, recorder, texts } = rig()
    const event = { type: 'Normal' as const, reason: 'Pulled', message: 'again' }
    recorder.event(pod('a'), event)
    await recorder.flush()
    await clock.advance(60_000)
    for (let i = 0; i < 5; i++) recorder.event(pod('a'), event)
    recorder.event(pod('b'), event)
    await recorder.flush()
    expect(texts().toSorted()).toEqual(['1x again', '6x again'])
    expect(api.objects(eventKind)[0]).toMatchObject({
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:01:00Z',
    })
  })

  it('makes one of many that differ only in their message', async () => {
    const { recorder, texts } = rig()
    for (let i = 0; i < 20; i++) recorder.event(pod('a'), { type: 'Normal', reason: 'Flood', message: `message ${i}` })
    await recorder.flush()
    expect(texts()).toHaveLength(11)
    expect(texts().at(-1)).toBe('10x (combined from similar events): message 19')
  })

  it('lets an object have 25 in a row and then one in five minutes', async () => {
    const { clock, recorder, texts } = rig()
    const event = { type: 'Normal' as const, reason: 'Loop', message: 'again' }
    for (let i = 0; i < 100; i++) recorder.event(pod('a'), event)
    await recorder.flush()
    expect(texts()).toEqual(['25x again'])
    await clock.advance(300_000)
    recorder.event(pod('a'), event)
    recorder.event(pod('a'), event)
    await recorder.flush()
    expect(texts()).toEqual(['26x again'])
  })

  it('begins anew when the Event is gone', async () => {
    const { api, recorder, texts } = rig()
    const event = { type: 'Normal' as const, reason: 'Once', message: 'more' }
    recorder.event(pod('a'), event)
    await recorder.flush()
    api.remove(eventKind, { namespace: 'shop', name: api.objects(eventKind)[0]?.metadata.name ?? '' })
    recorder.event(pod('a'), event)
    await recorder.flush()
    expect(texts()).toEqual(['1x more'])
  })

  it('outlives a server that is away for a moment, and one that refuses', async () => {
    const { clock, api, recorder, texts } = rig()
    api.intercept = () => {
      throw new ConnectionError('connection refused')
    }
    recorder.event(pod('a'), { type: 'Normal', reason: 'Kept', message: 'kept' })
    await clock.advance(500)
    api.intercept = undefined
    await clock.advance(10_000)
    await recorder.flush()
    expect(texts()).toEqual(['1x kept'])
    api.intercept = () => {
      throw new Error('no')
    }
    recorder.event(pod('a'), { type: 'Normal', reason: 'Lost', message: 'lost' })
    await recorder.flush()
    expect(texts()).toEqual(['1x kept'])
  })
})
