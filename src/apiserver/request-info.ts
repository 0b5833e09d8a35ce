import { badRequest } from '../api/index.ts'
import type { Verb } from '../client/index.ts'

/** What a request is about, from its method and URL alone. */
export type RequestInfo = ResourceInfo | PathInfo

export interface ResourceInfo {
  readonly kind: 'resource'
  readonly path: string
  readonly verb: Verb
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly query: Readonly<Record<string, string>>
}

/** Anything else: discovery, documents, health. `verb` is the method in lower case. */
export interface PathInfo {
  readonly kind: 'path'
  readonly path: string
  readonly verb: string
  readonly query: Readonly<Record<string, string>>
}

/** Reads a request's target by the grammar `/api/V|/apis/G/V[/namespaces/NS]/RESOURCE[/NAME[/SUBRESOURCE]]`. */
export const requestInfo = (method: string, url: string): RequestInfo => {
  const [rawPath = '/', search = ''] = splitOnce(url, '?')
  const query = parseQuery(search)
  const path = rawPath.length > 1 && rawPath.endsWith('/') ? rawPath.slice(0, -1) : rawPath
  const parts = path.slice(1).split('/').map(decodeSegment)
  const group = parts[0] === 'api' ? '' : parts[0] === 'apis' ? parts[1] : undefined
  const rest = parts.slice(parts[0] === 'api' ? 1 : 2)
  const [version, ...target] = rest
  if (group === undefined || version === undefined || target.length === 0 || target.includes('')) {
    return { kind: 'path', path: path === '' ? '/' : path, verb: method.toLowerCase(), query }
  }
  const place = placeOf(target)
  return { kind: 'resource', path, verb: verbOf(method, place.name, query), group, version, ...place, query }
}

interface Place {
  readonly namespace?: string
  readonly resource: string
  readonly name?: string
  readonly subresource?: string
}

/** What follows a namespace's name and is of the namespace, not in it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize'])

const placeOf = (target: readonly string[]): Place => {
  const [first = '', second, third] = target
  if (first === 'namespaces' && third !== undefined && !(target.length === 3 && NAMESPACE_SUBRESOURCES.has(third))) {
    return { namespace: second ?? '', ...inScope(target.slice(2)) }
  }
  return inScope(target)
}

const inScope = ([resource = '', name, ...subresource]: readonly string[]): Place => ({
  resource,
  ...(name === undefined ? {} : { name }),
  ...(subresource.length === 0 ? {} : { subresource: subresource.join('/') }),
})

const verbOf = (method: string, name: string | undefined, query: Readonly<Record<string, string>>): Verb => {
  switch (method) {
    case 'GET':
    case 'HEAD': {
      const { watch } = query
      if (watch !== undefined && watch !== '0' && watch !== 'false') return 'watch'
      return name === undefined ? 'list' : 'get'
    }
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete'
    default:
      throw badRequest(`unknown method ${method.slice(0, 32)}`)
  }
}

/** The first value of each parameter; without a prototype, so that any name is only a name. */
const parseQuery = (search: string): Readonly<Record<string, string>> => {
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(search)) query[name] ??= value
  return query
}

const splitOnce = (text: string, separator: string): readonly [string, string] => {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

const decodeSegment = (segment: string): string => {
  try {
    return segment.includes('%') ? decodeURIComponent(segment) : segment
  } catch {
    throw badRequest(`the path holds an invalid escape: ${segment.slice(0, 64)}`)
  }
}
