import { type ApiError, apiVersionOf, expired, type KubeObject, type Problem } from '../../api/index.ts'
import type { ApiAnswer, RawWatchEvent } from '../../client/index.ts'
import { type CacheEvent, type KindCache, tombstone } from '../cache/index.ts'
import type { ResourceRequest, RestContext } from './context.ts'
import { invalidOptions } from './failures.ts'
import { waitFor } from './list.ts'
import { booleanParameter, integerParameter, revisionParameter } from './options.ts'
import type { Resource } from './resources.ts'
import { type Selection, selectedObjects, selectionOf } from './selection.ts'

/** Events in the batches in which they came: a transport writes a batch at once. The events are shared between watches. */
export type WatchBatches = AsyncIterable<readonly RawWatchEvent[]>

/** A watch of a collection, begun: it throws what can be refused before the first event. */
export const openWatch = async (context: RestContext, request: ResourceRequest): Promise<WatchBatches> => {
  const options = watchOptions(context, request)
  const selection = selectionOf(request.target, request)
  const cache = context.caches.of(request.target.hub)
  if (options.revision > 0) await waitFor(context, options.revision, request.signal)
  // A watch from "now" begins after all that was acknowledged before it.
  else if (!options.anyState) await context.caches.fresh(request.signal)
  const after = options.initialEvents || options.revision === 0 ? context.caches.revision : options.revision
  const position = cache.ring.seek(after)
  if (position === undefined) return failed(tooOld(after, cache))
  // Taken now, at the revision that `after` says; what comes later is in the ring.
  const initial = options.initialEvents ? selectedObjects(cache, selection) : []
  const { target: resource, signal } = request
  return follow({ context, resource, cache, selection, options, initial, position, after, signal })
}

/** A watch whose only event is an error: clients look for it there (as Kubernetes sends it). */
async function* failed(error: ApiError): AsyncGenerator<readonly RawWatchEvent[]> {
  yield [{ type: 'ERROR', object: error.status }]
}

/** The answer of a watch to those who want one event after the other. */
export const watch = async (context: RestContext, request: ResourceRequest): Promise<ApiAnswer> => {
  const batches = await openWatch(context, request)
  return { kind: 'watch', events: flat(batches) }
}

async function* flat(batches: WatchBatches): AsyncGenerator<RawWatchEvent> {
  for await (const batch of batches) yield* batch
}

interface WatchOptions {
  readonly revision: number
  readonly anyState: boolean
  /** Send the present objects first, as ADDED. */
  readonly initialEvents: boolean
  /** Close the initial events with a bookmark that says so. */
  readonly endMark: boolean
  readonly bookmarks: boolean
  readonly timeoutMs: number
}

const MIN_TIMEOUT_SECONDS = 1800

const watchOptions = ({ clock }: RestContext, { query }: ResourceRequest): WatchOptions => {
  const revision = revisionParameter(query, 'resourceVersion')
  const hasInitial = query['sendInitialEvents'] !== undefined && query['sendInitialEvents'] !== ''
  const bookmarks = booleanParameter(query, 'allowWatchBookmarks')
  checkInitialEvents(query, hasInitial, bookmarks)
  const sendInitialEvents = hasInitial && booleanParameter(query, 'sendInitialEvents')
  const timeoutSeconds = integerParameter(query, 'timeoutSeconds') || spreadTimeout(clock.now())
  return {
    revision: revision ?? 0,
    anyState: revision === 0,
    // Without a revision a watch begins with the present state (as Kubernetes), unless the client declines it.
    initialEvents: sendInitialEvents || (!hasInitial && (revision ?? 0) === 0),
    endMark: sendInitialEvents,
    bookmarks,
    timeoutMs: Math.max(1, timeoutSeconds) * 1000,
  }
}

/** Watches that nobody limits end between 30 and 60 minutes, so that not all come back at once. */
const spreadTimeout = (nowMs: number): number => MIN_TIMEOUT_SECONDS + ((nowMs * 7919) % MIN_TIMEOUT_SECONDS)

const checkInitialEvents = (query: Readonly<Record<string, string>>, hasInitial: boolean, bookmarks: boolean): void => {
  const match = query['resourceVersionMatch'] ?? ''
  const problems: Problem[] = []
  const refuse = (path: string, detail: string): void => void problems.push({ path, type: 'Forbidden', detail })
  if (hasInitial && match !== 'NotOlderThan') {
    refuse('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
  }
  if (!hasInitial && match !== '')
    refuse('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')
  if (booleanParameter(query, 'sendInitialEvents') && !bookmarks) {
    refuse('sendInitialEvents', 'sendInitialEvents is forbidden for watch unless allowWatchBookmarks is true')
  }
  if (problems.length > 0) throw invalidOptions('ListOptions', problems)
}

const tooOld = (revision: number, cache: KindCache) => expired(`too old resource version: ${revision} (${cache.ring.since})`)

interface Follow {
  readonly context: RestContext
  readonly resource: Resource
  readonly cache: KindCache
  readonly selection: Selection
  readonly options: WatchOptions
  /** The objects that are shown first. */
  readonly initial: readonly KubeObject[]
  /** Where in the ring to begin. */
  readonly position: number
  /** Events up to this revision are known to the watcher. */
  readonly after: number
  readonly signal: AbortSignal | undefined
}

const BATCH = 256
const BOOKMARK_MS = 60_000

async function* follow(watcher: Follow): AsyncGenerator<readonly RawWatchEvent[]> {
  const { context, cache, options, signal } = watcher
  const { clock, caches, stopping } = context
  const bell = createBell()
  let isOver = stopping.aborted || signal?.aborted === true
  let isBookmarkDue = false
  const end = (): void => {
    isOver = true
    bell.ring()
  }
  const remind = (): void => {
    isBookmarkDue = true
    bell.ring()
  }
  let reminder = options.bookmarks ? clock.setTimer(remind, BOOKMARK_MS) : undefined
  const deadline = clock.setTimer(end, options.timeoutMs)
  const unsubscribe = cache.subscribe(bell.ring)
  signal?.addEventListener('abort', end, { once: true })
  stopping.addEventListener('abort', end, { once: true })
  try {
    yield* initialEvents(watcher)
    let position = watcher.position
    while (!isOver) {
      const events = cache.ring.read(position, BATCH)
      // The watcher was too slow: it may start again from the last revision that it saw.
      if (events === undefined) return
      position += events.length
      const seen = events.flatMap((event) => (event.revision > watcher.after ? (shown(watcher, event) ?? []) : []))
      if (seen.length > 0) yield seen
      if (events.length > 0) continue
      if (isBookmarkDue) {
        isBookmarkDue = false
        reminder = clock.setTimer(remind, BOOKMARK_MS)
        yield [bookmark(watcher.resource, Math.max(caches.revision, watcher.after))]
        continue
      }
      await bell.rung()
    }
    // So that the next watch begins where this one ended, however quiet it was.
    if (options.bookmarks && signal?.aborted !== true && position === cache.ring.end) {
      yield [bookmark(watcher.resource, Math.max(caches.revision, watcher.after))]
    }
  } finally {
    unsubscribe()
    deadline.cancel()
    reminder?.cancel()
    signal?.removeEventListener('abort', end)
    stopping.removeEventListener('abort', end)
  }
}

/** Remembers that it was rung until somebody has heard it. */
const createBell = () => {
  let isRung = false
  let wake: (() => void) | undefined
  return {
    ring(): void {
      isRung = true
      wake?.()
    },
    rung: async (): Promise<void> => {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      isRung = false
      wake = undefined
    },
  }
}

function* initialEvents({ resource, initial, options, after }: Follow): Generator<readonly RawWatchEvent[]> {
  for (let start = 0; start < initial.length; start += BATCH) {
    yield initial.slice(start, start + BATCH).map((object) => addedEvent(resource, object))
  }
  if (options.endMark) yield [bookmark(resource, after, { 'k8s.io/initial-events-end': 'true' })]
}

const bookmark = (resource: Resource, revision: number, annotations?: Readonly<Record<string, string>>): RawWatchEvent => ({
  type: 'BOOKMARK',
  object: {
    kind: resource.kind.kind,
    apiVersion: apiVersionOf(resource.kind),
    metadata: {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    },
  },
})

/** What a watcher of a selection sees of a change: objects appear and disappear as they begin and cease to be selected. */
const shown = ({ resource, selection }: Follow, event: CacheEvent): RawWatchEvent | undefined => {
  if (!event.key.startsWith(selection.prefix)) return undefined
  const { object, previous } = event
  const isSelected = object !== undefined && (selection.matches?.(object) ?? true)
  const wasSelected = previous !== undefined && (selection.matches?.(previous) ?? true)
  if (isSelected) return memoised(resource, event, wasSelected ? 'MODIFIED' : 'ADDED')
  return wasSelected ? memoised(resource, event, 'DELETED') : undefined
}

type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** The events of one change as one served version shows them: one object for all watchers, so that it is encoded once. */
const events = new WeakMap<CacheEvent, Map<string, RawWatchEvent>>()

const memoised = (resource: Resource, event: CacheEvent, type: ChangeType): RawWatchEvent => {
  const views = events.get(event) ?? new Map<string, RawWatchEvent>()
  if (views.size === 0) events.set(event, views)
  const name = `${type} ${resource.kind.group}/${resource.kind.version}`
  const known = views.get(name)
  if (known !== undefined) return known
  const hub = type === 'DELETED' && event.previous ? tombstone(event.previous, event.revision) : event.object
  const view: RawWatchEvent = { type, object: hub === undefined ? undefined : resource.fromHub(hub) }
  views.set(name, view)
  return view
}

const added = new WeakMap<KubeObject, RawWatchEvent>()

const addedEvent = (resource: Resource, hub: KubeObject): RawWatchEvent => {
  const object = resource.fromHub(hub)
  const known = added.get(object)
  if (known !== undefined) return known
  const event: RawWatchEvent = { type: 'ADDED', object }
  added.set(object, event)
  return event
}
