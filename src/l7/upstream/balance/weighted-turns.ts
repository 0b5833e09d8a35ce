import type { Balancer, Chance } from './balancer.ts'

/**
 * Turns in proportion to weights, without bursts: each item is due again after 1/weight, and the item that is due first is next (a binary
 * heap, so a pick is O(log n) and allocates nothing). Weights are asked for at each turn and may change; they must be above 0.
 */
export class WeightedTurns<T> implements Balancer<T> {
  readonly #items: T[]
  /** When each item of the heap is due, in turns of an item of weight 1. */
  readonly #due: Float64Array
  readonly #weightOf: (item: T) => number

  constructor(items: readonly T[], weightOf: (item: T) => number, chance: Chance) {
    this.#weightOf = weightOf
    // Workers that start together must not all begin with the heaviest.
    const turns = items.map((item) => ({ item, due: chance.random() / weightOf(item) })).sort((a, b) => a.due - b.due)
    this.#items = turns.map(({ item }) => item)
    this.#due = Float64Array.from(turns, ({ due }) => due)
  }

  pick(): T | undefined {
    const item = this.#items[0]
    if (item !== undefined) this.#sink(item, (this.#due[0] ?? 0) + 1 / this.#weightOf(item))
    return item
  }

  /** Moves the first item down to where one that is due at `due` belongs. */
  #sink(item: T, due: number): void {
    const items = this.#items
    const times = this.#due
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < items.length && (times[child + 1] ?? 0) < (times[child] ?? 0)) child++
      const below = items[child]
      const belowDue = times[child] ?? 0
      if (below === undefined || belowDue >= due) break
      items[at] = below
      times[at] = belowDue
      at = child
    }
    items[at] = item
    times[at] = due
  }
}
