import type { Deadlines, Timed } from '../../deadlines.ts'
import type { HealthCheck } from '../../table/index.ts'
import type { CheckQueue } from './check-queue.ts'
import { type CheckTarget, startCheck } from './check-request.ts'

/** The interval's part that is left to chance, so that checks that began together part. */
const JITTER = 0.1

export interface EndpointCheckOptions {
  readonly target: CheckTarget
  readonly check: HealthCheck
  readonly deadlines: Deadlines
  readonly queue: CheckQueue
  onChange(): void
}

/** Checks one endpoint of one backend again and again, until it is stopped. An endpoint that was never checked is healthy. */
export class EndpointCheck implements Timed {
  deadlineMs: number
  isUnhealthy: boolean
  readonly #options: EndpointCheckOptions
  /** Results in a row that speak against the present state. */
  #against = 0
  #abort: (() => void) | undefined
  #isStopped = false

  /** `isUnhealthy`: what an earlier check of the same endpoint found. */
  constructor(options: EndpointCheckOptions, isUnhealthy: boolean) {
    this.#options = options
    this.isUnhealthy = isUnhealthy
    // The first checks of a thousand endpoints are spread over an interval.
    this.deadlineMs = options.deadlines.nowMs + Math.random() * options.check.intervalMs
    options.deadlines.add(this)
  }

  /** It is time for a check, or the one that runs takes too long. */
  onDeadline(): void {
    if (this.#abort !== undefined) this.#end(false)
    else this.#options.queue.add(this)
  }

  /** Called by the queue when there is room. */
  run(): void {
    const { check, deadlines, target } = this.#options
    this.deadlineMs = deadlines.after(check.timeoutMs)
    this.#abort = startCheck(target, check, (isWell) => this.#end(isWell))
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.deadlineMs = 0
    const { deadlines, queue } = this.#options
    deadlines.remove(this)
    this.#abort?.()
    queue.remove(this)
  }

  #end(isWell: boolean): void {
    if (this.#isStopped || this.#abort === undefined) return
    this.#abort()
    this.#abort = undefined
    const { check, deadlines, queue } = this.#options
    this.deadlineMs = deadlines.nowMs + check.intervalMs * (1 - JITTER + Math.random() * 2 * JITTER)
    queue.remove(this)
    this.#judge(isWell)
  }

  #judge(isWell: boolean): void {
    const { check } = this.#options
    if (isWell !== this.isUnhealthy) {
      this.#against = 0
      return
    }
    this.#against++
    if (this.#against < (isWell ? check.healthyAfter : check.unhealthyAfter)) return
    this.#against = 0
    this.isUnhealthy = !isWell
    this.#options.onChange()
  }
}
