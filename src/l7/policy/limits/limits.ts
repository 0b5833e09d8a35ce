import type { RateLimits } from '../../table/index.ts'
import { AddressSet, clientKey } from '../client-address.ts'
import type { Answer, RequestView } from '../contract.ts'
import { refusal } from '../own-answers.ts'
import { LeakyBuckets } from './leaky-bucket.ts'

export interface CompiledLimits {
  /** Counts the request, unless it is refused. */
  admit(request: RequestView): Answer | undefined
  /** There when connections are counted. */
  readonly release: ((request: RequestView) => void) | undefined
}

interface Counters {
  readonly buckets: readonly LeakyBuckets[]
  /** Requests in progress by client; as many entries as there are requests at most. */
  readonly inProgress: Map<string, number>
  readonly connections: number
  usedAtMs: number
}

const FORGET_AFTER_MS = 15 * 60_000

export interface LimiterOptions {
  readonly monotonic: () => number
  /** Workers of this instance: each has its share of every limit, as they share no memory. */
  readonly workers: number
}

/**
 * The counters of one worker. They belong to a key and a rate, not to a policy: an update of the table with the same limits, and other routes
 * with the same key, go on with the same counts.
 */
export class Limiter {
  readonly #options: LimiterOptions
  readonly #counters = new Map<string, Counters>()

  constructor(options: LimiterOptions) {
    this.#options = options
  }

  compile(limits: RateLimits): CompiledLimits {
    const { monotonic } = this.#options
    const counters = this.#countersOf(limits)
    const exempt = new AddressSet(limits.exempt ?? [])
    const refusal = tooMany(limits.status)
    const isCounted = counters.connections > 0
    return {
      admit(request) {
        if (exempt.has(request.clientAddress)) return undefined
        const client = clientKey(request.clientAddress)
        const nowMs = monotonic()
        counters.usedAtMs = nowMs
        const connections = isCounted ? (counters.inProgress.get(client) ?? 0) : 0
        if (isCounted && connections >= counters.connections) return refusal.connections
        for (const bucket of counters.buckets) if (!bucket.mayTake(client, nowMs)) return refusal.rate
        for (const bucket of counters.buckets) bucket.take(client, nowMs)
        if (isCounted) counters.inProgress.set(client, connections + 1)
        return undefined
      },
      release: isCounted
        ? (request) => {
            if (exempt.has(request.clientAddress)) return
            const client = clientKey(request.clientAddress)
            const left = (counters.inProgress.get(client) ?? 1) - 1
            if (left > 0) counters.inProgress.set(client, left)
            else counters.inProgress.delete(client)
          }
        : undefined,
    }
  }

  #countersOf(limits: RateLimits): Counters {
    const nowMs = this.#options.monotonic()
    const name = JSON.stringify([
      limits.key,
      limits.requestsPerSecond,
      limits.requestsPerMinute,
      limits.connections,
      limits.burstMultiplier,
    ])
    const known = this.#counters.get(name)
    if (known !== undefined) {
      known.usedAtMs = nowMs
      return known
    }
    // A policy that still has forgotten counters goes on with them; only one compiled later begins anew.
    for (const [old, { usedAtMs, inProgress }] of this.#counters)
      if (nowMs - usedAtMs > FORGET_AFTER_MS && inProgress.size === 0) this.#counters.delete(old)
    const counters = newCounters(limits, this.#options.workers, nowMs)
    this.#counters.set(name, counters)
    return counters
  }
}

const newCounters = (limits: RateLimits, workers: number, nowMs: number): Counters => {
  const { requestsPerSecond = 0, requestsPerMinute = 0, connections = 0, burstMultiplier } = limits
  const buckets: LeakyBuckets[] = []
  const bucket = (rate: number, perSeconds: number): void => {
    const share = rate / workers
    if (rate > 0) buckets.push(new LeakyBuckets({ perSecond: share / perSeconds, burst: share * burstMultiplier }))
  }
  bucket(requestsPerSecond, 1)
  bucket(requestsPerMinute, 60)
  return {
    buckets,
    inProgress: new Map(),
    connections: connections > 0 ? Math.ceil(connections / workers) : 0,
    usedAtMs: nowMs,
  }
}

const tooMany = (status: number): { readonly rate: Answer; readonly connections: Answer } => ({
  rate: refusal(status, 'rate-limited'),
  connections: refusal(status, 'too-many-connections'),
})
