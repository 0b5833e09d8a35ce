import { LoadBalancerError } from '../../errors.ts'
import { type CloudFailure, isCloudError } from './client/index.ts'

const RETRY_MS: Partial<Record<CloudFailure, number>> = { throttled: 2_000, busy: 2_000, gone: 500, failed: 10_000 }

const FAILURES = {
  throttled: 'retry-after',
  busy: 'conflict',
  quota: 'quota',
  refused: 'refused',
  // Something inside of the load balancer: it was changed by others, and the next call reads it anew.
  gone: 'conflict',
  failed: 'unavailable',
  unavailable: 'unavailable',
} as const

/** As the contract of providers has it. */
export const asFailure = (error: unknown): unknown => {
  if (!isCloudError(error)) return error
  const retryAfterMs = RETRY_MS[error.failure]
  return new LoadBalancerError(FAILURES[error.failure], error.message, { cause: error, ...(retryAfterMs && { retryAfterMs }) })
}
