import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

const budgetAt = (clock: { nowMs: number }): RetryBudget => new RetryBudget(clock, { share: 0.2, perSecond: 3 })
const takeAll = (budget: RetryBudget): number => {
  let taken = 0
  while (taken < 10_000 && budget.take()) taken++
  return taken
}

describe('retry budget', () => {
  it.each<[string, number, number]>([
    ['three a second without any request', 0, 3],
    ['three a second with few', 10, 3],
    ['a fifth of many', 1_000, 200],
  ])('allows %s', (_, requests, retries) => {
    const budget = budgetAt({ nowMs: 5 })
    for (let i = 0; i < requests; i++) budget.countRequest()
    expect(takeAll(budget)).toBe(retries)
  })

  it('forgets requests after ten seconds, and the retries that they had', () => {
    const clock = { nowMs: 0 }
    const budget = budgetAt(clock)
    for (let i = 0; i < 1_000; i++) budget.countRequest()
    expect(takeAll(budget)).toBe(200)
    clock.nowMs = 1_000
    expect(takeAll(budget)).toBe(3)
    clock.nowMs = 9_500
    for (let i = 0; i < 100; i++) budget.countRequest()
    clock.nowMs = 12_000
    expect(takeAll(budget)).toBe(20)
  })

  it('equals a list of times', () => {
    const step = fc.record({ afterMs: fc.constantFrom(0, 0, 0, 0, 100, 999, 1_000, 3_000, 20_000), isRetry: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const clock = { nowMs: 0 }
        const budget = budgetAt(clock)
        const requests: number[] = []
        const retries: number[] = []
        for (const { afterMs, isRetry } of steps) {
          clock.nowMs += afterMs
          const second = Math.floor(clock.nowMs / 1_000)
          if (!isRetry) {
            requests.push(second)
            budget.countRequest()
            continue
          }
          const recent = (list: number[]): number => list.filter((at) => second - at < 10).length
          const inSecond = retries.filter((at) => at === second).length
          const isAllowed = inSecond < 3 || recent(retries) + 1 <= recent(requests) * 0.2
          if (isAllowed) retries.push(second)
          expect(budget.take()).toBe(isAllowed)
        }
      }),
    )
  })
})
