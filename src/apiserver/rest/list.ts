import { apiVersionOf, badRequest, expired, type KubeObject, type ListMeta } from '../../api/index.ts'
import { CompactedError } from '../../store/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { type Handler, objectAnswer, type ResourceRequest, type RestContext } from './context.ts'
import { type ContinueToken, decodeContinue, encodeContinue } from './continue-token.ts'
import { ExpiredContinueError, invalidOptions, tooLargeResourceVersion } from './failures.ts'
import { integerParameter, revisionParameter } from './options.ts'
import type { Resource } from './resources.ts'
import { candidateKeys, type Selection, selectionOf } from './selection.ts'

/** GET of a collection: whole, or in pages that all show one revision. */
export const list: Handler = async (context, request) => {
  const read = readOf(request)
  const selection = selectionOf(request.target, request)
  const page = await readPage(context, request.target, { ...read, selection, signal: request.signal })
  return objectAnswer(listObject(request.target, page))
}

interface ObjectList {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ListMeta
  readonly items: readonly KubeObject[]
}

const listObject = (resource: Resource, page: Page): ObjectList => ({
  apiVersion: apiVersionOf(resource.kind),
  kind: `${resource.kind.kind}List`,
  metadata: {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  },
  items: page.items.map(resource.fromHub),
})

/** Which state is to be read. */
type Read =
  | { readonly from: 'latest'; readonly limit: number | undefined }
  /** Whatever is in the cache when it is at `revision` or later. */
  | { readonly from: 'notOlderThan'; readonly revision: number; readonly limit: number | undefined }
  | { readonly from: 'exact'; readonly revision: number; readonly limit: number | undefined }
  | { readonly from: 'continue'; readonly token: ContinueToken; readonly limit: number | undefined }

const readOf = ({ query }: ResourceRequest): Read => {
  const limit = integerParameter(query, 'limit') || undefined
  if (limit !== undefined && limit < 0) throw badRequest(`limit must not be negative: ${limit}`)
  const revision = revisionParameter(query, 'resourceVersion')
  const match = query['resourceVersionMatch'] ?? ''
  if (match !== '') checkMatch(match, revision, query)
  if (query['continue']) {
    if (revision !== undefined && revision !== 0)
      throw badRequest('specifying resource version is not allowed when using continue')
    return { from: 'continue', token: decodeContinue(query['continue']), limit }
  }
  if (revision === undefined) return { from: 'latest', limit }
  // With resourceVersion=0 any state will do, and all of it is at hand (as Kubernetes' watch cache).
  if (revision === 0) return { from: 'notOlderThan', revision, limit: undefined }
  if (match === 'Exact' || (match === '' && limit !== undefined)) return { from: 'exact', revision, limit }
  return { from: 'notOlderThan', revision, limit }
}

const checkMatch = (match: string, revision: number | undefined, query: Readonly<Record<string, string>>): void => {
  const refuse = (detail: string): never => {
    throw invalidOptions('ListOptions', [{ path: 'resourceVersionMatch', type: 'Forbidden', detail }])
  }
  if (revision === undefined) refuse('resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (query['continue']) refuse('resourceVersionMatch is forbidden when continue is provided')
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalidOptions('ListOptions', [
      {
        path: 'resourceVersionMatch',
        type: 'NotSupported',
        value: match,
        detail: 'supported values: "Exact", "NotOlderThan", ""',
      },
    ])
  }
  if (match === 'Exact' && revision === 0) {
    refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  }
}

type PageRequest = Read & { readonly selection: Selection; readonly signal: AbortSignal | undefined }

interface Page {
  readonly items: readonly KubeObject[]
  readonly revision: number
  readonly continue: string | undefined
  readonly remaining: number | undefined
}

/** How long a read waits for a revision that this server has not seen yet. */
const WAIT_MS = 3000

const readPage = async (context: RestContext, resource: Resource, request: PageRequest): Promise<Page> => {
  switch (request.from) {
    case 'latest':
      await context.caches.fresh(request.signal)
      return cachePage(context, resource, request)
    case 'notOlderThan':
      await waitFor(context, request.revision, request.signal)
      return cachePage(context, resource, request)
    case 'exact':
      await waitFor(context, request.revision, request.signal)
      return storePage(context, request, { revision: request.revision, startAfter: '' })
    case 'continue':
      if (request.token.revision !== -1) await waitFor(context, request.token.revision, request.signal)
      return storePage(context, request, request.token)
    default:
      return request satisfies never
  }
}

/** Waits until the caches are at `revision`; throws when that takes too long. */
export const waitFor = async (context: RestContext, revision: number, signal: AbortSignal | undefined): Promise<void> => {
  if (await context.caches.reached(revision, WAIT_MS, signal)) return
  throw tooLargeResourceVersion(revision, context.caches.revision)
}

const cachePage = (context: RestContext, resource: Resource, { selection, limit }: PageRequest): Page => {
  const { revision } = context.caches
  const cache = context.caches.of(resource.hub)
  const keys = candidateKeys(cache, selection)
  const items: KubeObject[] = []
  for (const [index, key] of keys.entries()) {
    const object = cache.get(key)
    if (object === undefined || (selection.matches !== undefined && !selection.matches(object))) continue
    items.push(object)
    if (items.length !== limit || index === keys.length - 1) continue
    const remaining = selection.matches === undefined ? keys.length - index - 1 : undefined
    return { items, revision, remaining, continue: encodeContinue({ revision, startAfter: key.slice(selection.prefix.length) }) }
  }
  return { items, revision, remaining: undefined, continue: undefined }
}

/** Entries that one read of the store takes at most, so that none is long. */
const STORE_PAGE = 1000

const storePage = async (context: RestContext, request: PageRequest, token: ContinueToken): Promise<Page> => {
  const { selection, limit } = request
  const items: KubeObject[] = []
  let startAfter = token.startAfter === '' ? undefined : `${selection.prefix}${token.startAfter}`
  let revision = token.revision === -1 ? undefined : token.revision
  for (;;) {
    // Without a selector every entry counts; with one, most may not.
    const wanted =
      selection.matches === undefined && limit !== undefined ? Math.min(limit - items.length, STORE_PAGE) : STORE_PAGE
    const read = await rangeOrExpired(context, { ...request, startAfter, atRevision: revision, wanted })
    revision ??= read.revision
    for (const [index, entry] of read.entries.entries()) {
      const object = decodeEntry(entry)
      if (selection.matches !== undefined && !selection.matches(object)) continue
      items.push(object)
      const left = read.entries.length - index - 1 + (read.remaining ?? 0)
      if (items.length !== limit || left === 0) continue
      const next = encodeContinue({ revision, startAfter: entry.key.slice(selection.prefix.length) })
      return { items, revision, remaining: selection.matches === undefined ? left : undefined, continue: next }
    }
    startAfter = read.entries.at(-1)?.key
    if (startAfter === undefined || !read.remaining) return { items, revision, remaining: undefined, continue: undefined }
  }
}

type RangeRequest = PageRequest & {
  readonly startAfter: string | undefined
  readonly atRevision: number | undefined
  readonly wanted: number
}

const rangeOrExpired = async (context: RestContext, request: RangeRequest) => {
  const { selection, startAfter, atRevision, wanted } = request
  try {
    return await context.store.range({
      prefix: selection.prefix,
      limit: wanted,
      ...(startAfter === undefined ? {} : { startAfter }),
      ...(atRevision === undefined ? {} : { atRevision }),
    })
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    if (request.from !== 'continue' || startAfter === undefined) {
      throw expired(`The resourceVersion for the provided list is too old: ${String(atRevision)} (${error.compactedRevision})`)
    }
    throw new ExpiredContinueError(encodeContinue({ revision: -1, startAfter: startAfter.slice(selection.prefix.length) }))
  }
}
