/** Whose turn it is among the endpoints that may have requests; made anew when these change. */
export interface Balancer<T> {
  /** Undefined only when there is no item. */
  pick(): T | undefined
  /** Weights have changed; for balancers that keep them. */
  reweigh?(): void
}

/** What a balancer asks of its surroundings. */
export interface Chance {
  /** From 0 up to, without, 1. */
  random(): number
}

export const chance: Chance = { random: () => Math.random() }
