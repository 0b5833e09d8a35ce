import type { Clock } from '../../base/index.ts'

export interface BudgetTiming {
  /** Orders at once. */
  readonly burst: number
  readonly perMinute: number
}

export interface OrderBudgetOptions extends BudgetTiming {
  readonly clock: Clock
}

/** With these no three hours see more than 280 orders; Let's Encrypt allows an account 300. */
export const defaultOrderBudget: BudgetTiming = { burst: 100, perMinute: 1 }

/** How many orders we may make: a bucket that fills slowly, and a server that may ask for silence. */
export class OrderBudget {
  readonly #options: OrderBudgetOptions
  #left: number
  #at: number
  #silentUntil = Number.NEGATIVE_INFINITY

  constructor(options: OrderBudgetOptions) {
    this.#options = options
    this.#left = options.burst
    this.#at = options.clock.monotonic()
  }

  /** Takes one and returns 0, or takes none and returns after how many milliseconds to ask again. */
  take(): number {
    const { clock, burst, perMinute } = this.#options
    const now = clock.monotonic()
    if (now < this.#silentUntil) return Math.ceil(this.#silentUntil - now)
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 60_000) * perMinute)
    this.#at = now
    // What a millisecond adds may be lost to rounding.
    if (this.#left < 1 - 1e-9) return Math.max(1, Math.ceil(((1 - this.#left) * 60_000) / perMinute))
    this.#left -= 1
    return 0
  }

  /** The server has too much to do. */
  pause(forMs: number): void {
    this.#silentUntil = Math.max(this.#silentUntil, this.#options.clock.monotonic() + forMs)
  }
}
