import { type Event, eventKind } from '../api/index.ts'
import { type Clock, errorMessage, type Logger, sleep } from '../base/index.ts'
import type { Store, Write } from '../store/index.ts'
import type { Caches } from './cache/index.ts'
import { kindPrefix } from './registry/keys.ts'

export interface EventReaperOptions {
  readonly store: Store
  readonly caches: Caches
  readonly clock: Clock
  readonly log: Logger
}

/** How long an Event is kept after it was last seen (Kubernetes' `--event-ttl`). */
const TTL_MS = 3_600_000
const PERIOD_MS = 60_000
/** Events that one transaction deletes: writes of others must not wait. */
const BATCH = 100

/** Deletes old Events, a few at a time, until `signal` aborts. */
export const reapEvents = async (options: EventReaperOptions, signal: AbortSignal): Promise<void> => {
  const { clock, log } = options
  for (;;) {
    await sleep(clock, PERIOD_MS, signal)
    if (signal.aborted) return
    try {
      await reapOnce(options)
    } catch (error) {
      log.warn('apiserver: old events could not be deleted', { error: errorMessage(error) })
    }
  }
}

const reapOnce = async ({ store, caches, clock }: EventReaperOptions): Promise<void> => {
  const cache = caches.of(eventKind)
  const old = cache.keys(kindPrefix(eventKind)).flatMap((key) => {
    // The cache of a kind holds objects of that kind.
    const event = cache.get(key) as Event | undefined
    return event !== undefined && lastSeenMs(event) + TTL_MS < clock.now() ? [{ key, event }] : []
  })
  for (let start = 0; start < old.length; start += BATCH) {
    const batch = old.slice(start, start + BATCH)
    // One that is seen again meanwhile makes its batch fail, and the rest of it waits for the next round.
    await store.transact({
      conditions: batch.map(({ key, event }) => ({ key, modRevision: Number(event.metadata.resourceVersion) })),
      writes: batch.map(({ key }): Write => ({ type: 'delete', key })),
    })
  }
}

const lastSeenMs = (event: Event): number => {
  const times = [event.series?.lastObservedTime, event.lastTimestamp, event.eventTime, event.metadata.creationTimestamp]
  return Math.max(0, ...times.map((time) => Date.parse(time ?? '')).filter((ms) => !Number.isNaN(ms)))
}
