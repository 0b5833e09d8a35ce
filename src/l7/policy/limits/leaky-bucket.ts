import { AddressTable } from './address-table.ts'

export interface BucketRate {
  readonly perSecond: number
  /** Requests above the rate that may come at once. */
  readonly burst: number
}

interface Bucket {
  excess: number
  atMs: number
}

/** Addresses that each bucket list remembers, twice over. */
const GENERATION = 50_000

/**
 * nginx's `limit_req … burst=N nodelay` for each key: a request adds one to the excess, which leaks at the rate; one that would lift it
 * above the burst is refused and adds nothing. The first request of a key is free.
 */
export class LeakyBuckets {
  readonly #perMs: number
  readonly #burst: number
  readonly #buckets: AddressTable<Bucket>

  constructor({ perSecond, burst }: BucketRate, size = GENERATION) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#buckets = new AddressTable(size)
  }

  /** Whether a request at `nowMs` (which never goes back) would be let through; {@link take} then counts it. */
  mayTake(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key)
    return bucket === undefined || this.#excess(bucket, nowMs) + 1 <= this.#burst + TOLERANCE
  }

  take(key: string, nowMs: number): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      this.#buckets.set(key, { excess: 0, atMs: nowMs })
      return
    }
    // A bucket that was empty takes the request that empties into it, as a fresh one does.
    bucket.excess = Math.max(0, bucket.excess - (nowMs - bucket.atMs) * this.#perMs + 1)
    bucket.atMs = nowMs
  }

  #excess(bucket: Bucket, nowMs: number): number {
    return bucket.excess - (nowMs - bucket.atMs) * this.#perMs
  }
}

/** Of floating point: nginx counts in thousandths. */
const TOLERANCE = 1e-6
