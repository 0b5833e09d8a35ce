import type { Standing } from './balance/eligible.ts'
import type { RingItem } from './balance/hash-ring.ts'
import type { EndpointCheck } from './health/endpoint-check.ts'
import type { EndpointPool } from './pool.ts'

/** A new endpoint's share at first. */
const FIRST_SHARE = 0.1

/** An endpoint as one backend has it; stays the same while the endpoint stays. */
export class Member implements Standing, RingItem {
  readonly pool: EndpointPool
  weight: number
  /** Its share grows until then; 0 when it has all of it. */
  slowUntilMs: number
  check: EndpointCheck | undefined
  /** May have requests, when its turn comes or when others may not. */
  isUsable = true

  constructor(pool: EndpointPool, weight: number, slowUntilMs: number) {
    this.pool = pool
    this.weight = weight
    this.slowUntilMs = slowUntilMs
  }

  get id(): string {
    return this.pool.id
  }

  get isUnhealthy(): boolean {
    return this.check?.isUnhealthy === true
  }

  get failingSinceMs(): number {
    return this.pool.ejection.failingSinceMs
  }

  /** From a tenth to the whole over the slow start. */
  shareAt(nowMs: number, slowStartMs: number): number {
    if (this.slowUntilMs <= nowMs) return 1
    return Math.max(FIRST_SHARE, 1 - ((1 - FIRST_SHARE) * (this.slowUntilMs - nowMs)) / slowStartMs)
  }
}
