export interface QueuedCheck {
  run(): void
}

/** Lets at most `most` checks run at the same time; the others wait in order. */
export class CheckQueue {
  #most: number
  readonly #running = new Set<QueuedCheck>()
  readonly #waiting = new Set<QueuedCheck>()

  constructor(most: number) {
    this.#most = most
  }

  add(check: QueuedCheck): void {
    this.#waiting.add(check)
    this.#fill()
  }

  /** The check has ended, or is not wanted any more. */
  remove(check: QueuedCheck): void {
    this.#waiting.delete(check)
    if (this.#running.delete(check)) this.#fill()
  }

  /** No check runs from now on. */
  close(): void {
    this.#most = 0
    this.#waiting.clear()
  }

  #fill(): void {
    for (const check of this.#waiting) {
      if (this.#running.size >= this.#most) return
      this.#waiting.delete(check)
      this.#running.add(check)
      check.run()
    }
  }
}
