import type { OutgoingHttpHeader } from 'node:http'
import { constants } from 'node:http2'
import type { ApiError } from '../../api/index.ts'
import type { HttpResponse } from './exchange.ts'

type Headers = Readonly<Record<string, OutgoingHttpHeader>>

const JSON_TYPE = 'application/json'

/** Sends a JSON value whole. `application/json` stands alone: some clients compare it exactly. */
export const sendJson = (response: HttpResponse, code: number, value: unknown, headers: Headers = {}): void =>
  sendBytes(response, code, { ...headers, 'content-type': JSON_TYPE }, Buffer.from(`${JSON.stringify(value)}\n`, 'utf8'))

/** Sends text as curl shows it. */
export const sendText = (response: HttpResponse, code: number, text: string, contentType = 'text/plain; charset=utf-8'): void =>
  sendBytes(response, code, { 'content-type': contentType, 'x-content-type-options': 'nosniff' }, Buffer.from(text, 'utf8'))

export const sendBytes = (response: HttpResponse, code: number, headers: Headers, body: Buffer): void => {
  if (response.headersSent || response.destroyed) return
  response.writeHead(code, { 'cache-control': 'no-cache, private', ...headers, 'content-length': body.length })
  response.end(body)
}

/** Sends a failure as its Status. */
export const sendFailure = (response: HttpResponse, error: ApiError): void => {
  const retryAfter = error.details?.retryAfterSeconds
  const isUnread = error.code === 413
  const { stream } = response
  // Nobody reads on after a body that was refused unread: HTTP/1.1 ends the connection, HTTP/2 the stream.
  if (isUnread && stream !== undefined) response.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR))
  sendJson(response, error.code, error.status, {
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    ...(isUnread && stream === undefined ? { connection: 'close' } : {}),
  })
}

/** `Warning` headers (RFC 7234 5.5) that kubectl prints; one for each warning. */
export const warningHeaders = (warnings: readonly string[]): Headers =>
  warnings.length === 0 ? {} : { warning: warnings.slice(0, 50).map(warningText) }

const WARNING_LIMIT = 256

const warningText = (text: string): string => {
  // A header holds visible ASCII; quotes and backslashes are escaped in a quoted string.
  const safe = text
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, WARNING_LIMIT)
    .replace(/["\\]/g, '\\$&')
  return `299 - "${safe}"`
}
