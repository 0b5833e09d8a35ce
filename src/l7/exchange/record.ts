import type { RequestHead } from '../http1/request-head.ts'
import type { Endpoint, Target } from '../table/index.ts'
import type { ExchangeClient } from './client.ts'

/** What is known of a request when it has ended; read at once, the object is used again. */
export interface ExchangeRecord {
  readonly request: RequestHead
  readonly requestId: string
  readonly protocol: ExchangeClient['protocol']
  readonly clientAddress: string
  readonly isSecure: boolean
  /** Of the answer; 499 when the client went away before one. */
  readonly status: number
  /** Why the engine answered itself; empty for a pod's answer. */
  readonly reason: string
  readonly target: Target | undefined
  readonly backend: string | undefined
  readonly endpoint: Endpoint | undefined
  readonly tries: number
  /** On the clock of `performance.now()`. */
  readonly startedMs: number
  /** From the last try's head to the answer's; -1 when there was none. */
  readonly upstreamMs: number
  /** Of bodies. */
  readonly requestBytes: number
  readonly responseBytes: number
}
