import type { KubeObject } from '../../api/index.ts'
import type { Revision } from '../../store/index.ts'
import { type CacheEvent, createEventRing, type EventRing } from './event-ring.ts'

/** The decoded present objects of one kind and its latest events. Objects are shared: never change them. */
export interface KindCache {
  readonly size: number
  readonly ring: EventRing
  get(key: string): KubeObject | undefined
  /** Keys under `prefix` in order. */
  keys(prefix: string): readonly string[]
  /** Calls `listener` after events were added; returns how to stop. */
  subscribe(listener: () => void): () => void
}

/** How the store's changes get in. */
export interface KindCacheFeed extends KindCache {
  load(objects: ReadonlyMap<string, KubeObject>, revision: Revision): void
  /** An event from before the load: it is history only. */
  remember(event: CacheEvent): void
  apply(event: CacheEvent): void
  notify(): void
}

export const createKindCache = (ringCapacity: number): KindCacheFeed => {
  const ring = createEventRing(ringCapacity)
  const listeners = new Set<() => void>()
  let items = new Map<string, KubeObject>()
  let sorted: string[] | undefined
  const sortedKeys = (): string[] => {
    sorted ??= [...items.keys()].sort(byCodeUnit)
    return sorted
  }
  return {
    get size() {
      return items.size
    },
    ring,
    get: (key) => items.get(key),
    keys(prefix) {
      const keys = sortedKeys()
      const from = lowerBound(keys, prefix)
      // U+FFFF sorts after every character that a key holds.
      return keys.slice(from, lowerBound(keys, `${prefix}\uffff`))
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    load(objects, revision) {
      items = new Map(objects)
      sorted = undefined
      ring.reset(revision)
    },
    remember: (event) => ring.push(event),
    apply(event) {
      if (event.object === undefined) {
        if (items.delete(event.key)) sorted = undefined
      } else {
        if (!items.has(event.key)) sorted = undefined
        items.set(event.key, event.object)
      }
      ring.push(event)
    },
    notify: () => listeners.forEach((listener) => void listener()),
  }
}

/** The order of keys in the store: by bytes, and keys are ASCII. */
const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const lowerBound = (keys: readonly string[], key: string): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
