import type { KubeObject } from '../../api/index.ts'
import type { Revision } from '../../store/index.ts'

/** One change of one object. `object` is undefined after a delete; `previous` is undefined at a creation. */
export interface CacheEvent {
  readonly revision: Revision
  readonly key: string
  readonly object: KubeObject | undefined
  readonly previous: KubeObject | undefined
}

/**
 * The latest events of one kind. Readers hold a position instead of a queue of their own, so that a slow reader costs nothing:
 * when the ring has moved past its position, the reader is told so and must start again.
 */
export interface EventRing {
  /** Every event after this revision is in the ring. */
  readonly since: Revision
  /** The position after the newest event. */
  readonly end: number
  push(event: CacheEvent): void
  /** Forgets everything; the ring then begins after `revision`. */
  reset(revision: Revision): void
  /** The position of the first event after `revision`; undefined when that is no longer known. */
  seek(revision: Revision): number | undefined
  /** Up to `limit` events from `position` on; undefined when the ring has moved past it. */
  read(position: number, limit: number): readonly CacheEvent[] | undefined
}

export const createEventRing = (capacity: number): EventRing => {
  let slots: CacheEvent[] = []
  let start = 0
  let end = 0
  let since: Revision = 0
  const at = (position: number): CacheEvent | undefined => slots[position % capacity]
  return {
    get since() {
      return since
    },
    get end() {
      return end
    },
    push(event) {
      if (end - start === capacity) {
        // A transaction's events leave together: a resume from its revision must not find half of it.
        since = Math.max(since, at(start)?.revision ?? since)
        start++
      }
      slots[end % capacity] = event
      end++
    },
    reset(revision) {
      slots = []
      // Positions given out before must be seen as past.
      end++
      start = end
      since = revision
    },
    seek(revision) {
      if (revision < since) return undefined
      let low = start
      let high = end
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((at(middle)?.revision ?? 0) <= revision) low = middle + 1
        else high = middle
      }
      return low
    },
    read(position, limit) {
      if (position < start) return undefined
      const events: CacheEvent[] = []
      for (let next = position; next < end && events.length < limit; next++) {
        const event = at(next)
        if (event !== undefined) events.push(event)
      }
      return events
    },
  }
}
