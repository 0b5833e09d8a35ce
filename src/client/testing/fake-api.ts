import { ApiError, expired, type Kind, type KubeObject, notFound, scheme } from '../../api/index.ts'
import { type Clock, realClock } from '../../base/index.ts'
import type { ApiAnswer, ApiPort, ApiRequest, RawWatchEvent } from '../api-port.ts'
import { type Client, ConnectionError } from '../client.ts'
import { createPortClient } from '../port-client.ts'
import { createFakeStore, type FakeObject, type FakeStore, type HistoryEntry } from './fake-store.ts'
import { createFakeVerbs } from './fake-verbs.ts'
import { createFakeWatch, type FakeWatch } from './fake-watches.ts'
import { isSelected } from './selectors.ts'

/**
 * A small API server in memory, for tests of those who speak to one: revisions, conflicts, watches, selectors, paging, finalizers,
 * grace periods and the status subresource are evaluated; validation, defaulting by strategy and allocation are not.
 */
export interface FakeApi extends ApiPort {
  readonly client: Client
  /** Stores as it is, past all rules. */
  put<T extends KubeObject>(kind: Kind<T>, object: T): T
  remove(kind: Kind, ref: { readonly namespace?: string; readonly name: string }): void
  objects<T extends KubeObject>(kind: Kind<T>, namespace?: string): readonly T[]
  /** Every request so far; for asking what was written. */
  readonly requests: readonly ApiRequest[]
  /** Called before each request; what it throws is the answer. */
  intercept: ((request: ApiRequest) => void | Promise<void>) | undefined
  /** Breaks every watch; with `clean` it ends as by a timeout. */
  breakWatches(how?: 'broken' | 'clean' | 'silent'): void
  sendBookmarks(): void
  /** Forgets the history: watches from older revisions get 410. */
  compact(): void
  readonly openWatches: number
}

export interface FakeApiOptions {
  readonly kinds?: readonly Kind[]
  readonly clock?: Clock
  /** Whether `sendInitialEvents` is known; true when left out. */
  readonly watchList?: boolean
  /** Where a compacted revision is reported. */
  readonly expiredIn?: 'answer' | 'stream'
}

interface OpenWatch {
  readonly watch: FakeWatch
  readonly kind: Kind
  readonly request: ApiRequest
}

export const fakeApi = ({
  kinds = scheme,
  clock = realClock,
  watchList = true,
  expiredIn = 'answer',
}: FakeApiOptions = {}): FakeApi => {
  const watches = new Set<OpenWatch>()
  const requests: ApiRequest[] = []
  const store = createFakeStore((entry) => {
    for (const open of watches) if (open.kind === entry.kind) tell(open, entry)
  })

  const verbs = createFakeVerbs(store, kinds, clock)
  const api: FakeApi = {
    requests,
    intercept: undefined,
    get client() {
      return createPortClient({ port: api, user: { name: 'test', groups: [] }, userAgent: 'test/1' })
    },
    async execute(request) {
      requests.push(request)
      await api.intercept?.(request)
      const kind = kinds.find(({ group, plural }) => group === request.group && plural === request.resource)
      if (!kind) throw notFound({ group: request.group, plural: request.resource, kind: '', name: request.name ?? '' })
      if (request.verb === 'watch') return openWatch({ store, watches, watchList, expiredIn }, kind, request)
      const object = verbs.answer(kind, JSON.parse(JSON.stringify({ ...request, signal: undefined })))
      return { kind: 'object', code: request.verb === 'create' ? 201 : 200, object, warnings: [] }
    },
    put: (kind, object) => store.put(kind as Kind, object) as typeof object,
    remove(kind, { namespace, name }) {
      const object = store.get(kind, namespace, name)
      if (object) store.remove(kind, object)
    },
    // What was stored under a kind is of its type.
    objects: <T extends KubeObject>(kind: Kind<T>, namespace?: string) => store.list(kind as Kind, namespace) as readonly T[],
    breakWatches(how = 'broken') {
      for (const { watch: open } of [...watches]) {
        if (how === 'silent') open.silence()
        else open.end(how === 'broken' ? new ConnectionError('the connection was reset') : undefined)
      }
    },
    sendBookmarks() {
      for (const { watch: open, kind } of watches) open.push(bookmark(kind, store.revision, false))
    },
    compact() {
      store.compact()
      verbs.forgetPages()
    },
    get openWatches() {
      return watches.size
    },
  }
  return api
}

interface Watching {
  readonly store: FakeStore
  readonly watches: Set<OpenWatch>
  readonly watchList: boolean
  readonly expiredIn: 'answer' | 'stream'
}

const openWatch = ({ store, watches, watchList, expiredIn }: Watching, kind: Kind, request: ApiRequest): ApiAnswer => {
  const { query, namespace, signal } = request
  const initial = query['sendInitialEvents'] === 'true'
  if (initial && !watchList) throw new ApiError({ code: 422, reason: 'Invalid', message: 'sendInitialEvents: Forbidden' })
  const from = query['resourceVersion'] ?? ''
  const fromScratch = initial || from === '' || from === '0'
  const missed = fromScratch ? [] : store.since(Number(from))
  if (!missed && expiredIn === 'answer') throw expired(`too old resource version: ${from}`)
  const open: OpenWatch = { kind, request, watch: createFakeWatch(signal, () => watches.delete(open)) }
  if (!missed) {
    open.watch.push({ type: 'ERROR', object: expired(`too old resource version: ${from}`).status })
    open.watch.end()
  }
  if (fromScratch) {
    for (const object of store.list(kind, namespace)) {
      if (isSelected(kind, object, query)) open.watch.push({ type: 'ADDED', object })
    }
  }
  if (initial) open.watch.push(bookmark(kind, store.revision, true))
  for (const entry of missed ?? []) if (entry.kind === kind) tell(open, entry)
  watches.add(open)
  return { kind: 'watch', events: open.watch.events }
}

/** An object that enters or leaves the selection is added or deleted for this watch. */
const tell = ({ watch, kind, request }: OpenWatch, { object, previous, revision }: HistoryEntry): void => {
  const isOurs = (candidate: FakeObject | undefined): candidate is FakeObject =>
    candidate !== undefined &&
    (request.namespace === undefined || candidate.metadata.namespace === request.namespace) &&
    isSelected(kind, candidate, request.query)
  const was = isOurs(previous)
  if (isOurs(object)) watch.push({ type: was ? 'MODIFIED' : 'ADDED', object })
  else if (was) {
    const last = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } }
    watch.push({ type: 'DELETED', object: last })
  }
}

const bookmark = (kind: Kind, revision: number, end: boolean): RawWatchEvent => ({
  type: 'BOOKMARK',
  object: {
    kind: kind.kind,
    apiVersion: kind.version,
    metadata: { resourceVersion: String(revision), ...(end ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}) },
  },
})
