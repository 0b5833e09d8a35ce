import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CacheEvent, createEventRing } from './event-ring.ts'

const event = (revision: number, key = 'k'): CacheEvent => ({ revision, key, object: undefined, previous: undefined })

describe('event ring', () => {
  test('a position that the ring has moved past is told so', () => {
    const ring = createEventRing(2)
    ring.reset(0)
    const position = ring.seek(0)
    for (const revision of [1, 2, 3]) ring.push(event(revision))
    expect(ring.read(position ?? -1, 10)).toBeUndefined()
    expect(ring.seek(0)).toBeUndefined()
    expect(ring.read(ring.seek(1) ?? -1, 10)?.map((each) => each.revision)).toEqual([2, 3])
  })

  test('after a reset no earlier position is good, and revisions before it are unknown', () => {
    const ring = createEventRing(8)
    ring.reset(0)
    const position = ring.seek(0) ?? -1
    ring.reset(10)
    expect(ring.read(position, 1)).toBeUndefined()
    expect(ring.seek(9)).toBeUndefined()
    expect(ring.read(ring.seek(10) ?? -1, 1)).toEqual([])
  })

  test('seeking any revision finds every later event or says that it cannot', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(3), { maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        fc.nat(80),
        (steps, capacity, asked) => {
          const ring = createEventRing(capacity)
          ring.reset(0)
          let revision = 0
          const all: CacheEvent[] = []
          for (const [index, step] of steps.entries()) {
            // Several events may share a revision.
            revision += index === 0 ? step + 1 : step
            const pushed = event(revision, String(index))
            all.push(pushed)
            ring.push(pushed)
          }
          const position = ring.seek(asked)
          const later = all.filter((each) => each.revision > asked)
          if (position === undefined) expect(later.length).toBeGreaterThan(0)
          else expect(ring.read(position, 1000)).toEqual(later)
        },
      ),
    )
  })
})
