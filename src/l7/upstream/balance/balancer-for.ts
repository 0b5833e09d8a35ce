import type { Balancer, Chance } from './balancer.ts'
import { Rotation } from './rotation.ts'
import { TwoChoices, WeightedTwoChoices } from './two-choices.ts'
import { WeightedTurns } from './weighted-turns.ts'

/** What balancers ask about an item. */
export interface Questions<T> {
  /** Above 0. */
  weight(item: T): number
  active(item: T): number
  /** Latency times requests in progress. */
  latencyCost(item: T): number
}

/** The balancer for items that may have requests; the cheaper kind when their weights are equal and stay so. */
export const balancerFor = <T>(
  kind: 'round-robin' | 'least-requests' | 'ewma',
  items: readonly T[],
  areEqual: boolean,
  { questions, chance }: { readonly questions: Questions<T>; readonly chance: Chance },
): Balancer<T> => {
  const weight = (item: T): number => questions.weight(item)
  switch (kind) {
    case 'round-robin':
      return areEqual ? new Rotation(items, chance) : new WeightedTurns(items, weight, chance)
    case 'least-requests': {
      if (areEqual) return new TwoChoices(items, (item) => questions.active(item), chance)
      const cost = (item: T): number => questions.active(item) / questions.weight(item)
      return new WeightedTwoChoices(items, { weight, cost }, chance)
    }
    case 'ewma': {
      const cost = (item: T): number => questions.latencyCost(item)
      return areEqual ? new TwoChoices(items, cost, chance) : new WeightedTwoChoices(items, { weight, cost }, chance)
    }
    default:
      return kind satisfies never
  }
}
