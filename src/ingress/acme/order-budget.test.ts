import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { defaultOrderBudget, OrderBudget } from './order-budget.ts'

it('no three hours see more than 300 orders, however they are asked for', async () => {
  const waits = fc.array(fc.integer({ min: 0, max: 20 * 60_000 }), { minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(waits, async (all) => {
      const clock = pausedClock()
      const budget = new OrderBudget({ clock, ...defaultOrderBudget })
      const taken: number[] = []
      for (const wait of all) {
        await clock.advance(wait)
        while (budget.take() === 0) taken.push(clock.monotonic())
      }
      for (const from of taken) expect(taken.filter((at) => at >= from && at < from + 3 * 3_600_000).length).toBeLessThan(300)
    }),
    { numRuns: 50 },
  )
})

it('says when to come again, and keeps its word', async () => {
  const clock = pausedClock()
  const budget = new OrderBudget({ clock, burst: 2, perMinute: 7 })
  expect([budget.take(), budget.take()]).toEqual([0, 0])
  for (let round = 0; round < 50; round++) {
    const wait = budget.take()
    expect(wait).toBeGreaterThan(0)
    await clock.advance(wait)
    expect(budget.take()).toBe(0)
  }
})

it('is silent for as long as the server asked', async () => {
  const clock = pausedClock()
  const budget = new OrderBudget({ clock, burst: 2, perMinute: 1 })
  budget.pause(90_000)
  budget.pause(10_000)
  expect(budget.take()).toBe(90_000)
  await clock.advance(90_000)
  expect(budget.take()).toBe(0)
})
