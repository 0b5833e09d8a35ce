/** Something that the sweep looks at; `deadlineMs` 0 means none. */
export interface Timed {
  deadlineMs: number
  onDeadline(): void
}

/**
 * One coarse timer for all connections: a deadline is a number that is compared, not a timer that is made and
 * cancelled for each request. Deadlines are met up to one tick late.
 */
export class Deadlines {
  /** Coarse time; moves with each tick. */
  nowMs = performance.now()
  readonly #timed = new Set<Timed>()
  readonly #timer: NodeJS.Timeout

  constructor(tickMs: number) {
    this.#timer = setInterval(() => this.#sweep(), tickMs)
  }

  add(timed: Timed): void {
    this.#timed.add(timed)
  }

  remove(timed: Timed): void {
    this.#timed.delete(timed)
  }

  /** The deadline `afterMs` from now; 0 for no limit. */
  after(afterMs: number): number {
    return afterMs === 0 ? 0 : this.nowMs + afterMs
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timed.clear()
  }

  #sweep(): void {
    this.nowMs = performance.now()
    for (const timed of this.#timed) {
      if (timed.deadlineMs === 0 || timed.deadlineMs > this.nowMs) continue
      timed.deadlineMs = 0
      timed.onDeadline()
    }
  }
}
