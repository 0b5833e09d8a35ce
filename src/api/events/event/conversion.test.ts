import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Event } from '../../core/event/schema.ts'
import { eventFromHub, eventToHub } from './conversion.ts'

const text = fc.string({ minLength: 1 })
const event = fc.record(
  {
    involvedObject: fc.record({ kind: text, name: text, namespace: text }, { requiredKeys: [] }),
    reason: text,
    message: text,
    type: fc.constantFrom('Normal', 'Warning'),
    action: text,
    source: fc.record({ component: text, host: text }),
    firstTimestamp: fc.constant('2026-01-01T00:00:00Z'),
    lastTimestamp: fc.constant('2026-01-01T00:00:01Z'),
    eventTime: fc.constant('2026-01-01T00:00:01.000000Z'),
    series: fc.record({ count: fc.nat(), lastObservedTime: fc.constant('2026-01-01T00:00:01.000000Z') }),
    count: fc.integer({ min: 1 }),
    related: fc.record({ name: text }),
    reportingComponent: text,
    reportingInstance: text,
  },
  { requiredKeys: ['involvedObject'] },
)

describe('an Event', () => {
  it('goes to the names of events.k8s.io and back without loss', () => {
    fc.assert(
      fc.property(event, (fields) => {
        const hub: Event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'x', namespace: 'default' }, ...fields }
        const there = eventFromHub(hub)
        expect(there.note).toBe(hub.message)
        expect(there.regarding).toEqual(hub.involvedObject)
        expect(eventToHub(there)).toEqual(hub)
      }),
    )
  })
})
