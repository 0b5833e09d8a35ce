const SLOTS = 10
const SLOT_MS = 1_000

export interface RetryBudgetOptions {
  /** Retries as a share of the requests of the last 10 s. */
  readonly share: number
  /** Allowed in any case. */
  readonly perSecond: number
}

/** Keeps retries from multiplying the load of a backend that is failing. Counting a request costs a comparison and an addition. */
export class RetryBudget {
  readonly #clock: { readonly nowMs: number }
  readonly #options: RetryBudgetOptions
  readonly #requests = new Float64Array(SLOTS)
  readonly #retries = new Float64Array(SLOTS)
  #slot = 0
  #slotEndMs = 0
  #requestsInSlot = 0
  #retriesInSlot = 0

  constructor(clock: { readonly nowMs: number }, options: RetryBudgetOptions) {
    this.#clock = clock
    this.#options = options
    this.#slotEndMs = clock.nowMs + SLOT_MS
  }

  countRequest(): void {
    if (this.#clock.nowMs >= this.#slotEndMs) this.#advance()
    this.#requestsInSlot++
  }

  /** Takes one retry out of the budget; false when there is none. */
  take(): boolean {
    if (this.#clock.nowMs >= this.#slotEndMs) this.#advance()
    const requests = sum(this.#requests) + this.#requestsInSlot
    const retries = sum(this.#retries) + this.#retriesInSlot
    const { share, perSecond } = this.#options
    if (this.#retriesInSlot >= perSecond && retries + 1 > requests * share) return false
    this.#retriesInSlot++
    return true
  }

  /** Puts the present second into the window and begins the next; what is older than the window is forgotten. */
  #advance(): void {
    const passed = Math.floor((this.#clock.nowMs - this.#slotEndMs) / SLOT_MS) + 1
    this.#requests[this.#slot] = this.#requestsInSlot
    this.#retries[this.#slot] = this.#retriesInSlot
    this.#requestsInSlot = 0
    this.#retriesInSlot = 0
    for (let i = 0; i < Math.min(passed, SLOTS); i++) {
      this.#slot = (this.#slot + 1) % SLOTS
      this.#requests[this.#slot] = 0
      this.#retries[this.#slot] = 0
    }
    this.#slotEndMs += passed * SLOT_MS
  }
}

const sum = (slots: Float64Array): number => {
  let total = 0
  for (let i = 0; i < slots.length; i++) total += slots[i] ?? 0
  return total
}
