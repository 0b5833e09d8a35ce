import type { EngineSettings } from '../settings.ts'
import type { RetryCondition, RetryPolicy } from '../table/index.ts'
import type { BackendState } from '../upstream/backends.ts'
import type { EndpointPool } from '../upstream/pool.ts'
import type { UpstreamFailure } from '../upstream/stream.ts'
import type { Routing } from './routing.ts'

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** What of a request decides whether it may be sent again. */
export interface Repeatable {
  readonly method: string
  /** What was sent can be sent again. */
  readonly isKept: boolean
}

const CONDITIONS: Readonly<Record<UpstreamFailure, RetryCondition>> = {
  refused: 'connect',
  'tls-failed': 'connect',
  'connect-timeout': 'connect',
  reset: 'error',
  'response-timeout': 'timeout',
  'invalid-response': 'invalid-header',
}

/**
 * The tries of one request at one backend. Without a policy: another endpoint when nothing was sent; the same once more on a fresh connection
 * when an idle one turned out to be closed. With one: what it names, never after a byte of an answer went to the client.
 */
export class Attempts {
  count = 0
  pool: EndpointPool | undefined
  readonly #settings: EngineSettings
  #backend: BackendState | undefined
  #tried: EndpointPool[] | undefined
  #retry: RetryPolicy | undefined
  #endMs = 0

  constructor(settings: EngineSettings) {
    this.#settings = settings
  }

  clear(): void {
    this.count = 0
    this.pool = undefined
    this.#backend = undefined
  }

  begin(backend: BackendState, retry: RetryPolicy | undefined): void {
    this.count = 0
    this.pool = undefined
    this.#backend = backend
    this.#tried = undefined
    this.#retry = retry
    this.#endMs = retry === undefined || retry.timeoutMs === 0 ? 0 : performance.now() + retry.timeoutMs
  }

  /** The endpoint of the next try; undefined when none is left. */
  next(routing: Routing): EndpointPool | undefined {
    const pool = this.#backend?.choose(routing.hint(this.#tried))
    if (pool === undefined) return undefined
    this.count++
    this.pool = pool
    return pool
  }

  /** The last try's endpoint is not chosen again. */
  giveUpEndpoint(): void {
    if (this.pool === undefined) return
    this.#tried ??= []
    this.#tried.push(this.pool)
  }

  /** After a connection that the pod closed while it was idle: the same request once more. */
  mayRepeatStale(failure: UpstreamFailure, silent: boolean, isReused: boolean, request: Repeatable): boolean {
    return failure === 'reset' && silent && isReused && request.isKept && IDEMPOTENT.has(request.method)
  }

  mayTryAnother(failure: UpstreamFailure, request: Repeatable): boolean {
    const condition = CONDITIONS[failure]
    if (this.#retry === undefined) return condition === 'connect' && this.count < this.#settings.maxTries
    return this.#allows(condition, request)
  }

  /** Whether an answer with this status is to be replaced by another endpoint's. */
  mayReplace(status: number, request: Repeatable): boolean {
    return this.#retry !== undefined && this.#allows(status, request)
  }

  #allows(condition: RetryCondition, request: Repeatable): boolean {
    const retry = this.#retry
    if (retry === undefined || this.count >= retry.tries) return false
    if (this.#endMs !== 0 && performance.now() >= this.#endMs) return false
    if (condition === 'connect') {
      if (!retry.on.includes('connect') && !retry.on.includes('error')) return false
    } else {
      if (!retry.on.includes(condition) || !request.isKept) return false
      if (!IDEMPOTENT.has(request.method) && !retry.on.includes('non-idempotent')) return false
    }
    return this.#backend?.mayRetry() === true
  }
}
