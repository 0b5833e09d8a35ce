import type { ApiRequest } from '../api-port.ts'

/** The path and query of a request under the server's own path. */
export const requestPath = (prefix: string, request: ApiRequest): string => {
  const { group, version, resource, subresource, namespace, name, query } = request
  const parts = [
    ...(group === '' ? ['api', version] : ['apis', group, version]),
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    resource,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ]
  const text = new URLSearchParams(query).toString()
  return `${prefix}/${parts.map(segment).join('/')}${text === '' ? '' : `?${text}`}`
}

/** `.` and `..` would be resolved away and make it another request. */
const segment = (text: string): string => (text === '.' || text === '..' ? text.replaceAll('.', '%2E') : encodeURIComponent(text))
