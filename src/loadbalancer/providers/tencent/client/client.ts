import { type Clock, realClock } from '../../../../base/index.ts'
import { type CallerDeps, createCaller } from './caller.ts'
import { type CloudApi, createCloudApi } from './cloud-api.ts'
import { createLocks } from './locks.ts'
import { createRateLimiter, type RateLimits } from './rate-limit.ts'
import { createTransport, type TransportOptions } from './transport.ts'

export interface CloudClientOptions extends Omit<TransportOptions, 'now' | 'timeoutMs'> {
  readonly uin?: string
  readonly limits?: RateLimits
  readonly timeoutMs?: number
  readonly taskTimeoutMs?: number
  readonly taskPollMs?: number
  readonly clock?: Clock
  readonly onCall?: CallerDeps['onCall']
}

export interface CloudClient {
  readonly api: CloudApi
  /** Ends what is asked for several callers together; other calls end by their own signals. */
  close(): Promise<void>
}

/** The API allows 20 calls a second of each action. */
const LIMITS: RateLimits = { perSecond: 20 }

/** Tencent Cloud's API for load balancers, with what it needs of the tags' and the machines'. */
export const createCloudClient = (options: CloudClientOptions): CloudClient => {
  const {
    clock = realClock,
    limits = LIMITS,
    timeoutMs = 10_000,
    taskTimeoutMs = 120_000,
    taskPollMs = 100,
    uin,
    onCall,
    ...where
  } = options
  const life = new AbortController()
  const transport = createTransport({ ...where, timeoutMs, now: () => clock.now() })
  const caller = createCaller({
    transport,
    limiter: createRateLimiter(limits, clock),
    locks: createLocks(),
    clock,
    taskTimeoutMs,
    taskPollMs,
    ...(onCall && { onCall }),
  })
  return {
    api: createCloudApi(caller, { region: where.region, ...(uin === undefined ? {} : { uin }) }, life.signal),
    close() {
      life.abort(new Error('the client of the cloud is closed'))
      return transport.close()
    },
  }
}
