import type { Endpoint, Target } from '../table/index.ts'
import type { Trace } from './trace-context.ts'

/** What is known of a request when it has ended; read at once, as the object is used again. */
export interface RequestRecord {
  readonly request: {
    readonly method: string
    readonly host: string
    readonly path: string
    /** Path and query. */
    readonly target: string
    readonly minor: number
    /** End-to-end field lines, each with its CRLF. */
    readonly fields: string
  }
  readonly requestId: string
  readonly protocol: 'http/1.1' | 'h2'
  readonly clientAddress: string
  readonly isSecure: boolean
  /** Undefined when requests are not traced. */
  readonly trace: Trace | undefined
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
  /** -1 when no pod was asked. */
  readonly upstreamMs: number
  readonly requestBytes: number
  readonly responseBytes: number
}

export interface RequestObserver {
  onExchangeEnd(record: RequestRecord): void
}
