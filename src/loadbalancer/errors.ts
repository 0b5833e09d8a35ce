/** Why a call to a provider failed, as far as the caller acts on it. */
export type Failure =
  /** Too many calls, or a task that takes long: not before `retryAfterMs`. */
  | 'retry-after'
  /** No more may be made before the user raises the limit or frees something. */
  | 'quota'
  /** The user must change something: repeated at the slowest pace only. */
  | 'refused'
  /** What was there is not any more. */
  | 'gone'
  /** Somebody else is changing it. */
  | 'conflict'
  /** No answer, or an internal failure: whether it was done is not known. */
  | 'unavailable'

export interface LoadBalancerErrorOptions extends ErrorOptions {
  readonly retryAfterMs?: number
  /** The word of the Event; `SyncLoadBalancerFailed` when left out. */
  readonly reason?: string
}

/** A call to a provider that failed. The message says what, which and what now, is the same for the same failure, and holds no secret. */
export class LoadBalancerError extends Error {
  override readonly name = 'LoadBalancerError'
  readonly failure: Failure
  readonly retryAfterMs: number | undefined
  readonly reason: string | undefined
  constructor(failure: Failure, message: string, options: LoadBalancerErrorOptions = {}) {
    super(message, options)
    this.failure = failure
    this.retryAfterMs = options.retryAfterMs
    this.reason = options.reason
  }
}

export const isLoadBalancerError = (error: unknown, failure?: Failure): error is LoadBalancerError =>
  error instanceof LoadBalancerError && (failure === undefined || error.failure === failure)
