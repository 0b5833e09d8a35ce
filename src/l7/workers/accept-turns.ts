import type { Clock, Timer } from '../../base/index.ts'

/** Connections that a worker accepts before it gives the handle back. */
export const TURN = 8
/** A worker that is ahead waits at most this long for the others. */
const HOLD_MS = 10
/** Turns that a worker may have had more than another: counts of connections lag behind. */
const LEAD = 1

interface Held {
  readonly timer: Timer
  /** One for each port whose turn is over. */
  readonly grants: (() => void)[]
}

/**
 * Shares connections among workers that accept from one handle. Whoever is awake takes all that comes, which with a few long connections
 * leaves workers idle; so a worker accepts a turn of connections, closes its copy of the handle, and gets it again: at once, or when the
 * others have caught up.
 */
export class AcceptTurns<Worker> {
  readonly #clock: Clock
  readonly #connections = new Map<Worker, number>()
  readonly #turns = new Map<Worker, number>()
  readonly #held = new Map<Worker, Held>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A worker has so many connections now. */
  note(worker: Worker, connections: number): void {
    this.#connections.set(worker, connections)
    if (!this.#turns.has(worker)) this.#turns.set(worker, Math.max(0, ...this.#turns.values()))
    this.#releaseHeld()
  }

  #releaseHeld(): void {
    for (const [other, held] of this.#held) if (!this.#isAhead(other)) this.#release(other, held)
  }

  /** A worker's turn is over; `grant` gives it another. */
  over(worker: Worker, connections: number, grant: () => void): void {
    this.note(worker, connections)
    this.#turns.set(worker, (this.#turns.get(worker) ?? 0) + 1)
    this.#releaseHeld()
    if (!this.#isAhead(worker)) {
      grant()
      return
    }
    const waiting = this.#held.get(worker)
    if (waiting !== undefined) {
      waiting.grants.push(grant)
      return
    }
    const held: Held = { grants: [grant], timer: this.#clock.setTimer(() => this.#expire(worker, held), HOLD_MS) }
    this.#held.set(worker, held)
  }

  leave(worker: Worker): void {
    this.#connections.delete(worker)
    this.#turns.delete(worker)
    this.#held.get(worker)?.timer.cancel()
    this.#held.delete(worker)
  }

  /** The others took nothing meanwhile, and are owed nothing. */
  #expire(worker: Worker, held: Held): void {
    const least = (this.#turns.get(worker) ?? 0) - LEAD
    for (const [other, turns] of this.#turns) this.#turns.set(other, Math.max(turns, least))
    this.#release(worker, held)
  }

  #release(worker: Worker, held: Held): void {
    held.timer.cancel()
    this.#held.delete(worker)
    for (const grant of held.grants) grant()
  }

  #isAhead(worker: Worker): boolean {
    const isAbove = (counts: ReadonlyMap<Worker, number>, lead: number): boolean =>
      (counts.get(worker) ?? 0) - Math.min(...counts.values()) > lead
    return isAbove(this.#connections, TURN) || isAbove(this.#turns, LEAD)
  }
}
