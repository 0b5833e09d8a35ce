import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import type { UserInfo } from '../../client/index.ts'
import type { Connection } from '../authentication/index.ts'
import type { RequestInfo } from '../request-info.ts'

/** What HTTP/1.1 and HTTP/2 requests have in common. */
export interface HttpRequest extends Readable {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly httpVersionMajor: number
}

/** What HTTP/1.1 and HTTP/2 responses have in common. */
export interface HttpResponse extends Writable {
  readonly headersSent: boolean
  statusCode: number
  /** HTTP/2 only. */
  readonly stream?: { close(code: number): void }
  setHeader(name: string, value: string | readonly string[] | number): unknown
  writeHead(code: number, headers?: OutgoingHttpHeaders): unknown
}

/** One request on its way through the filters, which fill in what they learn. */
export interface Exchange {
  readonly request: HttpRequest
  readonly response: HttpResponse
  readonly connection: Connection
  /** Aborts when the client has gone or the server stops. */
  readonly signal: AbortSignal
  readonly startedMs: number
  info: RequestInfo | undefined
  user: UserInfo | undefined
}

/** One step of request handling; it answers, or calls `next`. */
export type Filter = (exchange: Exchange, next: () => Promise<void>) => Promise<void>

/** The request's info; filters after `withRequestInfo` have it. */
export const infoOf = ({ info }: Exchange): RequestInfo => {
  if (info === undefined) throw new Error('the request has not been read yet')
  return info
}

/** The request's user; filters after authentication have it. */
export const userOf = ({ user }: Exchange): UserInfo => user ?? { name: 'system:anonymous', groups: ['system:unauthenticated'] }
