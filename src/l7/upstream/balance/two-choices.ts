import type { Balancer, Chance } from './balancer.ts'

/** Of two different random items the one that costs less; the first when equal. Items have equal weights. */
export class TwoChoices<T> implements Balancer<T> {
  readonly #items: readonly T[]
  readonly #costOf: (item: T) => number
  readonly #chance: Chance

  constructor(items: readonly T[], costOf: (item: T) => number, chance: Chance) {
    this.#items = items
    this.#costOf = costOf
    this.#chance = chance
  }

  pick(): T | undefined {
    const items = this.#items
    const one = Math.floor(this.#chance.random() * items.length)
    let other = Math.floor(this.#chance.random() * (items.length - 1))
    if (other >= one) other++
    return cheaper(items[one], items[other], this.#costOf)
  }
}

/**
 * The same with weights: an item is drawn as often as its weight says, perhaps twice. So the weights hold when costs are equal, and an
 * item of small weight is still found when the others cost more.
 */
export class WeightedTwoChoices<T> implements Balancer<T> {
  readonly #items: readonly T[]
  readonly #weightOf: (item: T) => number
  readonly #costOf: (item: T) => number
  readonly #chance: Chance
  /** The sum of the weights up to and with each item. */
  readonly #sums: Float64Array

  constructor(items: readonly T[], of: { weight(item: T): number; cost(item: T): number }, chance: Chance) {
    this.#items = items
    this.#weightOf = (item) => of.weight(item)
    this.#costOf = (item) => of.cost(item)
    this.#chance = chance
    this.#sums = new Float64Array(items.length)
    this.reweigh()
  }

  /** Asks for the weights again. */
  reweigh(): void {
    let sum = 0
    this.#items.forEach((item, i) => {
      sum += this.#weightOf(item)
      this.#sums[i] = sum
    })
  }

  pick(): T | undefined {
    return cheaper(this.#draw(), this.#draw(), this.#costOf)
  }

  #draw(): T | undefined {
    const sums = this.#sums
    const wanted = this.#chance.random() * (sums[sums.length - 1] ?? 0)
    let low = 0
    let high = sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] ?? 0) > wanted) high = middle
      else low = middle + 1
    }
    return this.#items[low]
  }
}

const cheaper = <T>(one: T | undefined, other: T | undefined, costOf: (item: T) => number): T | undefined => {
  if (one === undefined || other === undefined) return one
  return costOf(other) < costOf(one) ? other : one
}
