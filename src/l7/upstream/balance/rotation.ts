import type { Balancer, Chance } from './balancer.ts'

/** Items of equal weight, one after another. Workers and restarts must not all begin at the first. */
export class Rotation<T> implements Balancer<T> {
  readonly #items: readonly T[]
  #next: number

  constructor(items: readonly T[], chance: Chance) {
    this.#items = items
    this.#next = Math.floor(chance.random() * items.length)
  }

  pick(): T | undefined {
    const items = this.#items
    if (this.#next >= items.length) this.#next = 0
    return items[this.#next++]
  }
}
