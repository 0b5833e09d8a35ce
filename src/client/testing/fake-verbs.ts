import { ApiError, alreadyExists, badRequest, conflict, expired, type Kind, notFound, type Subject } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'
import type { ApiRequest } from '../api-port.ts'
import { applyPatch, bound, created, deletion, finalized, isRecord, updated } from './fake-rules.ts'
import type { FakeObject, FakeStore } from './fake-store.ts'
import { isSelected } from './selectors.ts'

/** Everything but watches. */
export interface FakeVerbs {
  answer(kind: Kind, request: ApiRequest): unknown
  /** Continue tokens are refused from now on. */
  forgetPages(): void
}

export const createFakeVerbs = (store: FakeStore, kinds: readonly Kind[], clock: Clock): FakeVerbs => {
  const reading = createReading(store)
  const writing = createWriting(store, kinds, clock)
  return {
    forgetPages: reading.forgetPages,
    answer(kind, request) {
      switch (request.verb) {
        case 'get':
          return find(store, kind, request)
        case 'list':
          return reading.list(kind, request)
        case 'create':
          return writing.create(kind, request)
        case 'update':
          return writing.replace(kind, request, request.body)
        case 'patch':
          return writing.replace(kind, request, applyPatch(find(store, kind, request), request))
        case 'delete':
          return writing.remove(kind, request)
        default:
          throw badRequest(`the fake does not serve ${request.verb}`)
      }
    },
  }
}

const find = (store: FakeStore, kind: Kind, request: ApiRequest): FakeObject => {
  const object = store.get(kind, request.namespace, request.name ?? '')
  if (!object) throw notFound(subject(kind, request.name ?? ''))
  return object
}

const createReading = (store: FakeStore) => {
  const pages = new Map<string, { readonly rest: readonly FakeObject[]; readonly revision: number }>()
  const list = (kind: Kind, { namespace, query }: ApiRequest): unknown => {
    const token = query['continue']
    const page = token === undefined ? undefined : pages.get(token)
    if (token !== undefined && !page) throw expired('the provided continue parameter is too old')
    const all = page?.rest ?? store.list(kind, namespace).filter((object) => isSelected(kind, object, query))
    const revision = page?.revision ?? store.revision
    const limit = Number(query['limit'] ?? 0)
    const more = limit > 0 && all.length > limit
    const next = `${revision}:${pages.size}`
    if (more) pages.set(next, { rest: all.slice(limit), revision })
    return {
      kind: `${kind.kind}List`,
      metadata: { resourceVersion: String(revision), ...(more ? { continue: next } : {}) },
      items: (more ? all.slice(0, limit) : all).map(({ apiVersion: _, kind: __, ...item }) => item),
    }
  }
  return { list, forgetPages: () => pages.clear() }
}

const createWriting = (store: FakeStore, kinds: readonly Kind[], clock: Clock) => {
  const create = (kind: Kind, request: ApiRequest): FakeObject => {
    if (request.subresource === 'binding') return store.put(kind, bound(find(store, kind, request), request.body))
    const object = created(kind, request, clock)
    const { namespace, name } = object.metadata
    if (store.get(kind, namespace, name)) throw alreadyExists(subject(kind, name))
    const home = namespace === undefined ? undefined : store.get(namespaceKindOf(kinds), undefined, namespace)
    if (home?.metadata.deletionTimestamp !== undefined) {
      throw new ApiError({ code: 403, reason: 'Forbidden', message: `namespace ${namespace} is being terminated` })
    }
    return isDryRun(request) ? object : store.put(kind, object)
  }
  const replace = (kind: Kind, request: ApiRequest, body: unknown): FakeObject => {
    const old = find(store, kind, request)
    const next =
      request.subresource === 'finalize' ? finalized(old, body) : updated(kind, { old, body, subresource: request.subresource })
    if (next === 'conflict')
      throw conflict(
        subject(kind, old.metadata.name),
        'the object has been modified; please apply your changes to the latest version and try again',
      )
    if (next === 'same') return old
    if (isDryRun(request)) return next
    return isGone(next) ? store.remove(kind, next) : store.put(kind, next)
  }
  const remove = (kind: Kind, request: ApiRequest): unknown => {
    const old = find(store, kind, request)
    const next = deletion(kind, { old, body: request.body, clock })
    if (next === 'conflict') throw conflict(subject(kind, old.metadata.name), 'the precondition does not hold')
    if (isDryRun(request)) return old
    if (next !== 'gone') return next === old ? old : store.put(kind, next)
    store.remove(kind, old)
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { uid: old.metadata.uid } }
  }
  return { create, replace, remove }
}

const isGone = ({ metadata, spec }: FakeObject): boolean => {
  const held = isRecord(spec) && Array.isArray(spec['finalizers']) && spec['finalizers'].length > 0
  const waits = (metadata.deletionGracePeriodSeconds ?? 0) > 0
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && !held && !waits
}

const isDryRun = (request: ApiRequest): boolean => request.query['dryRun'] === 'All'

const subject = (kind: Kind, name: string): Subject => ({ group: kind.group, plural: kind.plural, kind: kind.kind, name })

const namespaceKindOf = (kinds: readonly Kind[]): Kind => {
  const kind = kinds.find(({ plural }) => plural === 'namespaces')
  if (!kind) throw new Error('the fake needs the Namespace kind')
  return kind
}
