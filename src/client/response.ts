import { ApiError, apiVersionOf, type Kind, type KubeObject, type StatusReason } from '../api/index.ts'
import type { RawWatchEvent } from './api-port.ts'
import { ConnectionError, type ObjectList, type WatchEvent } from './client.ts'

/** The answer is not what the API promises: something that is no API server is speaking. */
export const unexpected = (kind: Pick<Kind, 'plural'>, what: string): ConnectionError =>
  new ConnectionError(`the API server answered a request for ${kind.plural} with ${what}; is the address right?`)

/** One object; only what every object has is checked, the rest is the server's word. */
export const parseObject = <T extends KubeObject>(kind: Kind<T>, value: unknown): T => {
  if (!isRecord(value) || !isRecord(value['metadata']) || typeof value['metadata']['name'] !== 'string') {
    throw unexpected(kind, 'something that is not an object of the API')
  }
  // Checked above as far as it can be: the server validated it against the same schema.
  const object = value as unknown as T
  if (typeof value['kind'] === 'string' && value['kind'] !== '' && typeof value['apiVersion'] === 'string') return object
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind }
}

/** One page of a list; items of a typed list come without `apiVersion` and `kind` and get them here. */
export const parseList = <T extends KubeObject>(kind: Kind<T>, value: unknown): ObjectList<T> => {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw unexpected(kind, 'something that is not a list')
  const { metadata, items } = value
  const resourceVersion = metadata['resourceVersion']
  const token = metadata['continue']
  if (typeof resourceVersion !== 'string') throw unexpected(kind, 'a list without resourceVersion')
  if (items !== undefined && items !== null && !Array.isArray(items)) throw unexpected(kind, 'a list without items')
  return {
    items: (items ?? []).map((item: unknown) => parseObject(kind, item)),
    resourceVersion,
    ...(typeof token === 'string' && token !== '' ? { continue: token } : {}),
  }
}

/** A watch event; throws the `ApiError` that an ERROR event carries. */
export const parseWatchEvent = <T extends KubeObject>(kind: Kind<T>, { type, object }: RawWatchEvent): WatchEvent<T> => {
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: parseObject(kind, object) }
    case 'BOOKMARK': {
      const metadata = isRecord(object) && isRecord(object['metadata']) ? object['metadata'] : {}
      const { resourceVersion, annotations } = metadata
      if (typeof resourceVersion !== 'string') throw unexpected(kind, 'a bookmark without resourceVersion')
      return {
        type,
        resourceVersion,
        initialEventsEnd: isRecord(annotations) && annotations['k8s.io/initial-events-end'] === 'true',
      }
    }
    case 'ERROR':
      throw apiErrorOf(object, 500)
    default:
      throw unexpected(kind, `a watch event of type ${String(type satisfies never)}`)
  }
}

/** The `ApiError` of a `Status`; `code` counts when it has none. */
export const apiErrorOf = (value: unknown, code: number): ApiError => {
  if (!isStatus(value)) return new ApiError({ code, message: `the server answered ${code} without a reason` })
  const { message, reason, details } = value
  return new ApiError({
    code: typeof value['code'] === 'number' ? value['code'] : code,
    message: typeof message === 'string' && message !== '' ? message : `the server answered ${code}`,
    // A server may know more reasons than we do; they are compared, never switched over.
    ...(typeof reason === 'string' && reason !== '' ? { reason: reason as StatusReason } : {}),
    ...(isRecord(details) ? { details } : {}),
  })
}

export const isStatus = (value: unknown): value is Record<string, unknown> => isRecord(value) && value['kind'] === 'Status'

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
