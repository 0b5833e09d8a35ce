import { Field, isToken } from '../http1/fields.ts'
import { clearRequestHead, LONGEST_METHOD, type RequestHead, readTarget, takeField } from '../http1/request-head.ts'
import type { HeadLimits } from '../http1/scan.ts'
import { canonicalHost } from '../table/index.ts'
import { fieldName, isFieldValue } from './field-names.ts'

/** `:authority`, `:method`, `:path` and `:scheme` as bits. */
const Pseudo = { authority: 1, method: 2, path: 4, scheme: 8 } as const
const REQUIRED = Pseudo.method | Pseudo.path | Pseudo.scheme

/** The request line that HTTP/1.1 would have, less method and path. */
const START_LINE_BYTES = '  HTTP/1.1'.length
/** Colon, blank, CR and LF of a line. */
const LINE_BYTES = 4

/**
 * Translates the field list of a request (name, value, name, …) into `head`, as strictly as the HTTP/1 side reads one, so that a pod never sees
 * what that side would have refused. Returns 0, or the status that refuses it. `isWhole`: the stream ends with the list.
 */
export const readRequestFields = (list: readonly string[], isWhole: boolean, limits: HeadLimits, head: RequestHead): number => {
  clearRequestHead(head)
  head.minor = 1
  const fields = readPseudo(list, head)
  if (fields < 0) return -fields
  const target = readTargetOf(list, fields, limits, head)
  const rest = readFields(list, fields, limits, head)
  return target || rest || judge(head, isWhole)
}

/** Returns where the regular fields begin, or the status that refuses the list, negative. */
const readPseudo = (list: readonly string[], head: RequestHead): number => {
  let seen = 0
  let at = 0
  for (; at < list.length && list[at]?.charCodeAt(0) === COLON; at += 2) {
    const bit = PSEUDO.get(list[at] as string)
    const value = list[at + 1] as string
    if (bit === undefined || (seen & bit) !== 0) return -400
    seen |= bit
    if (bit === Pseudo.method) head.method = value
    else if (bit === Pseudo.authority) head.authority = value
    else if (bit === Pseudo.scheme && value !== 'https' && value !== 'http') return -400
  }
  const { method } = head
  // CONNECT has neither path nor scheme, and TRACE an echo: neither has a place in a reverse proxy.
  if ((seen & Pseudo.method) !== 0 && (method === 'CONNECT' || method === 'TRACE')) return -405
  if ((seen & REQUIRED) !== REQUIRED) return -400
  if (method !== 'GET' && method !== 'POST' && (method.length > LONGEST_METHOD || !isToken(method))) return -400
  if ((seen & Pseudo.authority) !== 0 && canonicalHost(head.authority) === undefined) return -400
  return at
}

const COLON = 0x3a
const SLASH = 0x2f
const PSEUDO: ReadonlyMap<string, number> = new Map(Object.entries(Pseudo).map(([name, bit]) => [`:${name}`, bit]))

const readTargetOf = (list: readonly string[], end: number, limits: HeadLimits, head: RequestHead): number => {
  let path = ''
  for (let at = 0; at < end; at += 2) if (list[at] === ':path') path = list[at + 1] as string
  if (path.length + head.method.length + START_LINE_BYTES > limits.maxStartLineBytes) return 414
  // An absolute form would bring a second authority.
  if (path.charCodeAt(0) !== SLASH && path !== '*') return 400
  return readTarget(path, head)
}

const readFields = (list: readonly string[], from: number, limits: HeadLimits, head: RequestHead): number => {
  if ((list.length - from) / 2 > limits.maxFields) return 431
  let bytes = head.authority.length + head.method.length
  let fields = ''
  let cookie = ''
  let hosts = 0
  for (let at = from; at < list.length; at += 2) {
    const name = list[at] as string
    const value = list[at + 1] as string
    const { kind, lower, isConnectionSpecific } = fieldName(name)
    if (kind === -1 || isConnectionSpecific || lower !== name || !isFieldValue(value)) return 400
    bytes += name.length + value.length + LINE_BYTES
    if (bytes > limits.maxHeadBytes) return 431
    // Crumbs of one cookie are one field in HTTP/1 (RFC 9113 section 8.2.3).
    if (name === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`
    else if (kind === Field.keep) fields += `${name}: ${value}\r\n`
    else {
      if (kind === Field.host && (++hosts > 1 || !isAuthority(value, head))) return 400
      if (kind === Field.te && value.toLowerCase() !== 'trailers') return 400
      const problem = takeField(kind, value, head)
      if (problem !== 0) return problem
      if (kind === Field.identity) head.identity += `${name}: ${value}\r\n`
    }
  }
  head.fields = cookie === '' ? fields : `${fields}cookie: ${cookie}\r\n`
  return 0
}

/** Two different hosts of one request would be two views of where it goes. */
const isAuthority = (host: string, head: RequestHead): boolean =>
  head.authority === '' || head.authority.toLowerCase() === host.toLowerCase()

const judge = (head: RequestHead, isWhole: boolean): number => {
  const host = canonicalHost(head.authority)
  if (host === undefined) return 400
  head.host = host
  head.keepAlive = true
  head.upgrade = false
  // A length that no body follows; nghttp2 counts the bytes of the others.
  if (isWhole && head.contentLength > 0) return 400
  head.chunked = !isWhole && head.contentLength === -1
  return 0
}
