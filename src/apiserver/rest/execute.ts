import { type ApiError, podKind } from '../../api/index.ts'
import type { ApiAnswer, ApiRequest, Verb } from '../../client/index.ts'
import type { Handler, ResourceRequest, RestContext } from './context.ts'
import { create } from './create.ts'
import { remove } from './delete.ts'
import { removeCollection } from './delete-collection.ts'
import { methodNotAllowed, pageNotFound } from './failures.ts'
import { get } from './get.ts'
import { list } from './list.ts'
import { finalize } from './namespace-finalize.ts'
import { patch } from './patch.ts'
import { bindPod, evictPod, podLog } from './pod-subresources.ts'
import { findReview, review } from './reviews.ts'
import { getScale, patchScale, updateScale } from './scale.ts'
import { update } from './update.ts'
import { watch } from './watch.ts'

type Verbs = Partial<Readonly<Record<Verb, Handler>>>

const MAIN: Verbs = { get, list, watch, create, update, patch, delete: remove, deletecollection: removeCollection }

/** Handlers by subresource; which of them a kind has, the kind says. */
const SUBRESOURCES: Readonly<Record<string, Verbs>> = {
  status: { get, update, patch },
  scale: { get: getScale, update: updateScale, patch: patchScale },
  log: { get: podLog },
  binding: { create: bindPod },
  eviction: { create: evictPod },
  finalize: { update: finalize },
}

/** What kubectl opens a stream for; a bare 404 would look as if the pod were missing. */
const TUNNELS: ReadonlySet<string> = new Set(['attach', 'exec', 'portforward'])

const noTunnel = (subresource: string): ApiError =>
  methodNotAllowed(
    `pods/${subresource} is not supported by Fairway yet; pods are processes of this machine: reach them by their addresses (kubectl get pods -o wide)`,
  )

/** Pods can always be bound and evicted, whether discovery says so or not. */
const isServed = ({ target, subresource }: ResourceRequest): boolean =>
  [...target.hub.subresources].some((served) => served === subresource) ||
  (target.hub.plural === 'pods' && (subresource === 'binding' || subresource === 'eviction'))

/** Answers a request of either transport. Rejects with `ApiError`. */
export const executeRequest = async (context: RestContext, request: ApiRequest & BodyNotes): Promise<ApiAnswer> => {
  const target = resolve(context, request)
  if (target.kind === 'review') return review(context, request, target.review)
  return target.handler(context, target.request)
}

/** What only the text of a body tells. */
export type BodyNotes = Pick<ResourceRequest, 'duplicateFields'>

type Target =
  | { readonly kind: 'review'; readonly review: NonNullable<ReturnType<typeof findReview>> }
  | { readonly kind: 'resource'; readonly request: ResourceRequest; readonly handler: Handler }

/** Who answers a request; throws NotFound or MethodNotAllowed. */
export const resolve = (context: RestContext, request: ApiRequest & BodyNotes): Target => {
  const { group, version, resource: plural, verb } = request
  const found = findReview(group, version, plural)
  if (found !== undefined) {
    if (verb !== 'create') throw methodNotAllowed('the server does not allow this method on the requested resource')
    return { kind: 'review', review: found }
  }
  const resource = context.resources.find(group, version, plural)
  if (resource === undefined) throw pageNotFound()
  const resourceRequest: ResourceRequest = { ...request, target: resource }
  if (!resource.kind.namespaced && request.namespace !== undefined) throw pageNotFound()
  if (resource.kind.namespaced && request.namespace === undefined && request.name !== undefined) throw pageNotFound()
  const { subresource } = request
  if (resource.kind === podKind && subresource !== undefined && TUNNELS.has(subresource)) throw noTunnel(subresource)
  if (subresource !== undefined && !isServed(resourceRequest)) throw pageNotFound()
  const verbs = subresource === undefined ? MAIN : SUBRESOURCES[subresource]
  if (verbs === undefined) throw pageNotFound()
  const handler = verbs[verb]
  if (handler === undefined) throw methodNotAllowed('the server does not allow this method on the requested resource')
  return { kind: 'resource', request: resourceRequest, handler }
}
