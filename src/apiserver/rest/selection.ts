import type { KubeObject } from '../../api/index.ts'
import type { ApiRequest } from '../../client/index.ts'
import type { KindCache } from '../cache/index.ts'
import { kindPrefix, namespacePrefix } from '../registry/keys.ts'
import { exactField, fieldMatcher, matchesLabels, parseFieldSelector, parseLabelSelector } from '../selectors/index.ts'
import type { Resource } from './resources.ts'

/** Which objects a list or watch is about. */
export interface Selection {
  /** Store keys start with this. */
  readonly prefix: string
  /** The one key that can be selected, when the name and namespace are fixed. */
  readonly key: string | undefined
  /** Undefined when every object under the prefix is selected. */
  readonly matches: ((object: KubeObject) => boolean) | undefined
}

/** The objects that a request's namespace, name and selectors select. Throws `BadRequest` for a selector that cannot be read. */
export const selectionOf = (resource: Resource, request: Pick<ApiRequest, 'namespace' | 'name' | 'query'>): Selection => {
  const { hub } = resource
  const labels = parseLabelSelector(request.query['labelSelector'] ?? '')
  const fields = parseFieldSelector(request.query['fieldSelector'] ?? '')
  const matchesFields = fields.length === 0 ? undefined : fieldMatcher(hub, fields)
  const namespace = hub.namespaced ? (request.namespace ?? exactField(fields, 'metadata.namespace')) : undefined
  const prefix = namespace ? namespacePrefix(hub, namespace) : kindPrefix(hub)
  const name = request.name ?? exactField(fields, 'metadata.name')
  const key = name === undefined || (hub.namespaced && !namespace) ? undefined : `${prefix}${name}`
  if (labels.length === 0 && matchesFields === undefined && request.name === undefined) return { prefix, key, matches: undefined }
  const matches = (object: KubeObject): boolean =>
    (request.name === undefined || object.metadata.name === request.name) &&
    (matchesFields?.(object) ?? true) &&
    matchesLabels(labels, object.metadata.labels)
  return { prefix, key, matches }
}

/** The keys under a selection's prefix; of one object when only that can be selected. */
export const candidateKeys = (cache: KindCache, { prefix, key }: Selection): readonly string[] => {
  if (key === undefined) return cache.keys(prefix)
  return cache.get(key) === undefined ? [] : [key]
}

/** The present objects that are selected, in order. */
export const selectedObjects = (cache: KindCache, selection: Selection): readonly KubeObject[] =>
  candidateKeys(cache, selection)
    .map((key) => cache.get(key))
    .filter((object) => object !== undefined)
    .filter((object) => selection.matches?.(object) ?? true)
