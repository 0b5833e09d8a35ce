import type { Kind, KubeObject } from '../../api/index.ts'
import { type Clock, errorMessage, type Logger, type Running, sleep } from '../../base/index.ts'
import { type ChangeBatch, CompactedError, type Entry, type Revision, type Store, type StoreChange } from '../../store/index.ts'
import { kindPrefix } from '../registry/keys.ts'
import { decodeEntry, withResourceVersion } from './codec.ts'
import { createKindCache, type KindCache, type KindCacheFeed } from './kind-cache.ts'

export interface CachesOptions {
  readonly store: Store
  /** The stored kinds. */
  readonly kinds: readonly Kind[]
  readonly clock: Clock
  readonly log: Logger
  /** Events kept for each kind. */
  readonly ringCapacity?: number
}

/** Decoded copies of every kind, fed by one watch of the store, so that one revision is true for all of them. */
export interface Caches {
  /** Everything up to this revision is in the caches. */
  readonly revision: Revision
  of(kind: Kind): KindCache
  /** Resolves when all that the store has acknowledged so far is in the caches. */
  fresh(signal?: AbortSignal): Promise<void>
  /** Resolves when the caches are at `revision` or above: true; false when `timeoutMs` or the signal came first. */
  reached(revision: Revision, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  start(signal: AbortSignal): Promise<Running>
}

const RING_CAPACITY = 8192
/** How far back the ring is filled at start, so that watchers from before a restart go on without listing again. */
const REMEMBERED_REVISIONS = 4096
const PAGE = 1000
const EVENTS_A_TURN = 512
const RETRY_MS = 200

interface Waiter {
  readonly revision: Revision
  resolve(): void
}

export const createCaches = (options: CachesOptions): Caches => {
  const { store, clock, log } = options
  const capacity = options.ringCapacity ?? RING_CAPACITY
  const feeds = new Map<string, KindCacheFeed>()
  for (const kind of options.kinds) feeds.set(kindPrefix(kind), createKindCache(capacity))
  let revision: Revision = 0
  const waiters = new Set<Waiter>()

  const advance = (to: Revision): void => {
    revision = to
    for (const waiter of waiters) {
      if (waiter.revision > to) continue
      waiters.delete(waiter)
      waiter.resolve()
    }
  }

  const reached = (target: Revision, timeoutMs: number, signal?: AbortSignal): Promise<boolean> => {
    if (revision >= target) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (isReached: boolean): void => {
        timer.cancel()
        signal?.removeEventListener('abort', giveUp)
        waiters.delete(waiter)
        resolve(isReached)
      }
      const giveUp = (): void => finish(false)
      const timer = clock.setTimer(giveUp, timeoutMs)
      const waiter: Waiter = { revision: target, resolve: () => finish(true) }
      waiters.add(waiter)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  return {
    get revision() {
      return revision
    },
    of(kind) {
      const feed = feeds.get(kindPrefix(kind))
      if (feed === undefined) throw new Error(`no cache of ${kindPrefix(kind)}`)
      return feed
    },
    reached,
    fresh: async (signal) => {
      await reached(store.revision, FRESH_TIMEOUT_MS, signal)
    },
    async start(signal) {
      let loaded = await load(store, feeds)
      let hasHistory = true
      let started = (): void => {}
      const first = new Promise<void>((resolve) => {
        started = resolve
      })
      const caughtUp = (): void => {
        advance(loaded)
        started()
      }
      const run = async (): Promise<void> => {
        while (!signal.aborted) {
          try {
            await pump({ store, feeds, loaded, hasHistory, signal, advance, caughtUp })
          } catch (error) {
            if (signal.aborted) return
            log.warn('watch of the store broke, loading again', { error: errorMessage(error) })
            await sleep(clock, RETRY_MS, signal)
            loaded = await load(store, feeds)
            // Readers are served by now, and history that comes late would look new to them: they list again instead.
            hasHistory = false
            for (const feed of feeds.values()) feed.notify()
          }
        }
      }
      const stopped = run()
      // Nobody is served before the history is in: a reader that begins at the present would be told of the past.
      await Promise.race([first, stopped])
      return { stopped }
    },
  }
}

/** Longer than any commit takes; a store that is stuck longer makes reads a little stale instead of hanging them. */
const FRESH_TIMEOUT_MS = 3000

/** Reads every kind at one revision. */
const load = async (store: Store, feeds: ReadonlyMap<string, KindCacheFeed>): Promise<Revision> => {
  const revision = store.revision
  for (const [prefix, feed] of feeds) {
    const objects = new Map<string, KubeObject>()
    let startAfter: string | undefined
    do {
      const atRevision = revision === 0 ? undefined : revision
      const page: { readonly entries: readonly Entry[]; readonly remaining?: number } = await store.range({
        prefix,
        startAfter,
        limit: PAGE,
        atRevision,
      })
      for (const entry of page.entries) objects.set(entry.key, decodeEntry(entry))
      startAfter = page.remaining ? page.entries.at(-1)?.key : undefined
    } while (startAfter !== undefined)
    feed.load(objects, revision)
  }
  return revision
}

interface Pump {
  readonly store: Store
  readonly feeds: ReadonlyMap<string, KindCacheFeed>
  /** What the caches hold already; older batches are only remembered. */
  readonly loaded: Revision
  /** Whether older batches are wanted at all. */
  readonly hasHistory: boolean
  readonly signal: AbortSignal
  advance(to: Revision): void
  /** Called when everything up to `loaded` was remembered. */
  caughtUp(): void
}

/** Follows the store until it ends or breaks; begins with as much of the history as the store still has. */
const pump = async (options: Pump): Promise<void> => {
  const { loaded } = options
  let since = options.hasHistory ? Math.max(0, loaded - REMEMBERED_REVISIONS) : loaded
  for (;;) {
    try {
      return await follow(options, since)
    } catch (error) {
      if (!(error instanceof CompactedError) || since >= loaded) throw error
      since = Math.min(loaded, Math.max(since + 1, error.compactedRevision))
    }
  }
}

const follow = async (options: Pump, since: Revision): Promise<void> => {
  const { store, feeds, loaded, signal } = options
  for (const feed of feeds.values()) feed.ring.reset(since)
  if (since >= loaded) options.caughtUp()
  const tell = createTeller()
  let eventsThisTurn = 0
  for await (const batch of store.watch('', since, signal)) {
    const changed = take(feeds, batch, batch.revision <= loaded)
    if (batch.revision === loaded) options.caughtUp()
    if (batch.revision > loaded) options.advance(batch.revision)
    tell(changed)
    eventsThisTurn += batch.changes.length
    if (eventsThisTurn >= EVENTS_A_TURN) {
      // Lets sockets drain in a burst, so that watchers are not overrun by our own loop.
      eventsThisTurn = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  if (!signal.aborted) throw new Error('the watch of the store ended')
}

/** Notifies once a turn of the event loop: watchers then write what came in it together. */
const createTeller = () => {
  const changed = new Set<KindCacheFeed>()
  const notify = (): void => {
    for (const feed of changed) feed.notify()
    changed.clear()
  }
  return (feeds: ReadonlySet<KindCacheFeed>): void => {
    if (changed.size === 0 && feeds.size > 0) setImmediate(notify)
    for (const feed of feeds) changed.add(feed)
  }
}

const take = (feeds: ReadonlyMap<string, KindCacheFeed>, batch: ChangeBatch, isHistory: boolean): ReadonlySet<KindCacheFeed> => {
  const changed = new Set<KindCacheFeed>()
  for (const change of batch.changes) {
    const key = change.type === 'put' ? change.entry.key : change.key
    const feed = feeds.get(prefixOf(key))
    if (feed === undefined) continue
    const event = { revision: batch.revision, key, ...decodeChange(feed, change, isHistory) }
    if (isHistory) feed.remember(event)
    else feed.apply(event)
    changed.add(feed)
  }
  return changed
}

interface Decoded {
  readonly object: KubeObject | undefined
  readonly previous: KubeObject | undefined
}

const decodeChange = (feed: KindCacheFeed, change: StoreChange, isHistory: boolean): Decoded => {
  const known = isHistory ? undefined : feed.get(change.type === 'put' ? change.entry.key : change.key)
  const previous = change.previous === undefined ? undefined : (known ?? decodeEntry(change.previous))
  return { object: change.type === 'put' ? decodeEntry(change.entry) : undefined, previous }
}

/** `/registry/GROUP/PLURAL/` of a key. */
const prefixOf = (key: string): string => {
  let slashes = 0
  for (let index = 0; index < key.length; index++) {
    if (key.charCodeAt(index) === 47 && ++slashes === 4) return key.slice(0, index + 1)
  }
  return ''
}

/** The last state of a deleted object, as its DELETED event shows it. */
export const tombstone = (previous: KubeObject, revision: Revision): KubeObject => withResourceVersion(previous, revision)
