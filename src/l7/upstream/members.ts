import { isDeepStrictEqual } from 'node:util'
import type { Backend, HealthCheck } from '../table/index.ts'
import { type Dial, dialOf } from './dial.ts'
import type { CheckQueue } from './health/check-queue.ts'
import { EndpointCheck } from './health/endpoint-check.ts'
import { Member } from './member.ts'
import type { EndpointPool, Pools, StandingWatcher } from './pool.ts'

/** The endpoints of one backend: holds their pools, and checks them when the backend asks for it. */
export class Members {
  readonly #pools: Pools
  readonly #checks: CheckQueue
  readonly #watcher: StandingWatcher
  #members: ReadonlyMap<EndpointPool, Member> = new Map()
  #health: HealthCheck | undefined

  constructor(pools: Pools, checks: CheckQueue, watcher: StandingWatcher) {
    this.#pools = pools
    this.#checks = checks
    this.#watcher = watcher
  }

  get size(): number {
    return this.#members.size
  }

  all(): Member[] {
    return [...this.#members.values()]
  }

  /** Endpoints that stay keep their connections and all that is known of them. */
  update(backend: Backend): void {
    const before = this.#members
    const dial = dialOf(backend)
    this.#members = this.#membersOf(backend, dial)
    for (const [pool, member] of before) {
      if (!this.#members.has(pool)) {
        pool.watchers.delete(this.#watcher)
        stopCheck(member)
      }
      this.#pools.release(pool)
    }
    this.#check(backend.health, dial)
  }

  stopChecks(): void {
    for (const member of this.#members.values()) stopCheck(member)
  }

  #membersOf(backend: Backend, dial: Dial): ReadonlyMap<EndpointPool, Member> {
    const before = this.#members
    // Endpoints that are there from the start share the load at once: somebody must carry it.
    const slowMs = before.size === 0 ? 0 : (backend.slowStartMs ?? 0)
    const slowUntilMs = slowMs === 0 ? 0 : this.#pools.deadlines.nowMs + slowMs
    const members = new Map<EndpointPool, Member>()
    for (const endpoint of backend.endpoints) {
      const pool = this.#pools.acquire(endpoint, dial)
      if (members.has(pool)) {
        this.#pools.release(pool)
        continue
      }
      const weight = Math.max(0, endpoint.weight ?? 1)
      const member = before.get(pool) ?? new Member(pool, weight, slowUntilMs)
      member.weight = weight
      if (slowMs === 0) member.slowUntilMs = 0
      pool.watchers.add(this.#watcher)
      members.set(pool, member)
    }
    return members
  }

  /** New endpoints are checked; all anew, from where they stand, when the check itself has changed. */
  #check(health: HealthCheck | undefined, dial: Dial): void {
    const isChanged = !isDeepStrictEqual(this.#health, health)
    this.#health = health
    for (const member of this.#members.values()) {
      if (member.check !== undefined && !isChanged) continue
      const { isUnhealthy } = member
      stopCheck(member)
      if (health === undefined) continue
      const { address, port } = member.pool.endpoint
      const { deadlines } = this.#pools
      const onChange = (): void => this.#watcher.onStanding()
      const options = { target: { address, port, ...dial }, check: health, deadlines, queue: this.#checks, onChange }
      member.check = new EndpointCheck(options, isUnhealthy)
    }
  }
}

const stopCheck = (member: Member): void => {
  member.check?.stop()
  member.check = undefined
}
