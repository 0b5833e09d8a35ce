import type { ExternalAuth } from '../../table/index.ts'
import type { RequestView } from '../contract.ts'
import { compileEdits, FieldNames, fieldLine, withoutFields } from '../field-edits.ts'
import type { OutsideRequest } from '../outside/contract.ts'
import { fieldValue, schemeOf, urlOf, urlText } from '../template.ts'

/**
 * The question to the service: no body, what ingress-nginx tells of the request, and the client's own fields but for those that would change
 * what the question is, or that only we may say.
 */
export const compileQuestion = (auth: ExternalAuth): ((request: RequestView) => OutsideRequest) => {
  const { target, method, timeoutMs, keepaliveConnections = 0 } = auth
  const path = urlText(auth.path)
  const edit = auth.requestFields === undefined ? undefined : compileEdits(auth.requestFields)
  return (request) => {
    const lines = passedOn(request) + toldLines(request)
    const joined = path(request)
    return {
      target,
      method,
      path: joined.startsWith('/') ? joined : `/${joined}`,
      fields: pairs(edit === undefined ? lines : edit(lines, request)),
      timeoutMs,
      connections: Math.max(FEWEST_CONNECTIONS, keepaliveConnections),
    }
  }
}

const FEWEST_CONNECTIONS = 64

const toldLines = (request: RequestView): string => {
  const uri = request.path + request.query
  const told: readonly (readonly [string, string])[] = [
    ['X-Original-URL', urlOf(request)],
    ['X-Original-Method', request.method],
    ['X-Original-URI', uri],
    ['X-Scheme', schemeOf(request)],
    ['X-Sent-From', 'fairway'],
    ['X-Real-IP', request.clientAddress],
    ['X-Forwarded-For', request.clientAddress],
    ['X-Forwarded-Proto', schemeOf(request)],
    ['X-Forwarded-Host', request.authority],
    ['X-Auth-Request-Redirect', uri],
    ['X-Request-ID', request.requestId],
  ]
  let lines = ''
  for (const [name, value] of told) if (value !== '') lines += `${name}: ${fieldValue(value)}\r\n`
  return lines
}

/** Told by us; about a body that is not sent, or an answer that is not wanted; hop by hop. */
const NOT_PASSED = new FieldNames([
  ...['x-original-url', 'x-original-method', 'x-original-uri', 'x-scheme', 'x-sent-from', 'x-real-ip', 'x-request-id'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'forwarded'],
  ...['x-auth-request-redirect', 'host', 'content-length', 'transfer-encoding', 'content-encoding', 'expect', 'trailer'],
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'te', 'upgrade', 'http2-settings'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range', 'accept-encoding'],
])

const ASKED_FOR = [
  'authorization',
  'cookie',
  'accept',
  'accept-language',
  'origin',
  'referer',
  'user-agent',
  'x-requested-with',
  'traceparent',
  'tracestate',
]

const passedOn = (request: RequestView): string => {
  if (request.fieldLines !== undefined) return withoutFields(request.fieldLines, NOT_PASSED)
  let lines = ''
  for (const name of ASKED_FOR) lines += fieldLine(name, fieldValue(request.field(name) ?? ''))
  return lines
}

const pairs = (lines: string): OutsideRequest['fields'] =>
  lines
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
