import type { Clock, Timer } from '../../base/index.ts'

/** Connections that a worker accepts before it gives the handle back. */
export const TURN = 8
/** A worker that is ahead waits at most this long for the others. */
const HOLD_MS = 5

interface Held {
  readonly timer: Timer
  grant(): void
}

/**
 * Shares connections among workers that accept from one handle. Whoever is awake takes all that comes, which with a few long connections
 * leaves workers idle; so a worker accepts a turn of connections, closes its copy of the handle, and gets it again: at once, or when the
 * others have caught up.
 */
export class AcceptTurns<Worker> {
  readonly #clock: Clock
  readonly #connections = new Map<Worker, number>()
  readonly #held = new Map<Worker, Held>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A worker has so many connections now. */
  note(worker: Worker, connections: number): void {
    this.#connections.set(worker, connections)
    for (const [other, held] of this.#held) if (!this.#isAhead(other)) this.#release(other, held)
  }

  /** A worker's turn is over; `grant` gives it another. */
  over(worker: Worker, connections: number, grant: () => void): void {
    this.note(worker, connections)
    if (!this.#isAhead(worker)) {
      grant()
      return
    }
    this.#held.get(worker)?.timer.cancel()
    const held: Held = { grant, timer: this.#clock.setTimer(() => this.#release(worker, held), HOLD_MS) }
    this.#held.set(worker, held)
  }

  leave(worker: Worker): void {
    this.#connections.delete(worker)
    this.#held.get(worker)?.timer.cancel()
    this.#held.delete(worker)
  }

  #release(worker: Worker, held: Held): void {
    held.timer.cancel()
    this.#held.delete(worker)
    held.grant()
  }

  #isAhead(worker: Worker): boolean {
    let fewest = Number.POSITIVE_INFINITY
    for (const connections of this.#connections.values()) fewest = Math.min(fewest, connections)
    return (this.#connections.get(worker) ?? 0) - fewest > TURN
  }
}
