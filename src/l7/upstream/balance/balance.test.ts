import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Chance } from './balancer.ts'
import { balancerFor, type Questions } from './balancer-for.ts'
import { eligible, type Standing } from './eligible.ts'
import { Latency } from './latency.ts'
import { Rotation } from './rotation.ts'
import { TwoChoices, WeightedTwoChoices } from './two-choices.ts'
import { WeightedTurns } from './weighted-turns.ts'

interface Item {
  readonly name: string
  readonly weight: number
  active: number
}

const item = (name: string, weight = 1, active = 0): Item => ({ name, weight, active })

const items = (...weights: readonly number[]): Item[] => weights.map((weight, i) => item(`${i}`, weight))

/** Numbers that repeat from run to run. */
const seeded = (seed: number): Chance => {
  let state = seed | 1
  return {
    random: () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return (state >>> 0) / 2 ** 32
    },
  }
}

const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 })
const seed = fc.integer({ min: 1, max: 2 ** 31 })

const countPicks = (pick: () => Item | undefined, times: number): Map<string, number> => {
  const counts = new Map<string, number>()
  for (let i = 0; i < times; i++) {
    const name = pick()?.name ?? 'none'
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

describe('rotation', () => {
  it('serves every item once in each round, from any start', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), seed, (length, start) => {
        const all = items(...Array.from({ length }, () => 1))
        const rotation = new Rotation(all, seeded(start))
        for (let round = 0; round < 3; round++)
          expect(countPicks(() => rotation.pick(), length)).toEqual(new Map(all.map(({ name }) => [name, 1])))
      }),
    )
  })

  it('has nobody to serve when there is no item', () => {
    expect(new Rotation([], seeded(1)).pick()).toBeUndefined()
  })
})

describe('weighted turns', () => {
  it('gives each item its share of every prefix, up to the rounding of one turn each', () => {
    fc.assert(
      fc.property(weights, seed, fc.integer({ min: 1, max: 2_000 }), (list, start, times) => {
        const all = items(...list)
        const sum = list.reduce((a, b) => a + b, 0)
        const turns = new WeightedTurns(all, ({ weight }) => weight, seeded(start))
        const counts = countPicks(() => turns.pick(), times)
        for (const { name, weight } of all) {
          const share = (times * weight) / sum
          // Each item's count is within one of its due turns, and the number of turns is off by at most one for each item.
          expect(Math.abs((counts.get(name) ?? 0) - share)).toBeLessThanOrEqual(1 + (list.length * weight) / sum)
        }
      }),
    )
  })

  it('does not serve a heavy item in a burst', () => {
    const turns = new WeightedTurns(items(5, 1, 1, 1, 1, 1), ({ weight }) => weight, seeded(7))
    const order = Array.from({ length: 1_000 }, () => turns.pick()?.name).join('')
    expect(order).not.toMatch(/000/)
    expect(order.split('0').length - 1).toBeGreaterThanOrEqual(499)
  })

  it('follows a weight that changes', () => {
    const shares = new Map([
      ['0', 0.1],
      ['1', 1],
    ])
    const turns = new WeightedTurns(items(1, 1), ({ name }) => shares.get(name) ?? 1, seeded(3))
    expect(countPicks(() => turns.pick(), 1_100).get('0')).toBeCloseTo(100, -1)
    shares.set('0', 1)
    expect(countPicks(() => turns.pick(), 1_000).get('0')).toBeGreaterThan(485)
  })
})

describe('two choices', () => {
  const cost = ({ active }: Item): number => active

  it('never takes the most expensive item while there are two', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), seed, (length, start) => {
        const all = Array.from({ length }, (_, i) => item(`${i}`, 1, i))
        const choices = new TwoChoices(all, cost, seeded(start))
        for (let i = 0; i < 200; i++) expect(choices.pick()?.active).toBeLessThan(length - 1)
      }),
    )
  })

  it('keeps the loads of equal items together, where blind chance (a deviation of 31) lets them drift', () => {
    const all = items(...Array.from({ length: 20 }, () => 1))
    const random = seeded(11)
    const choices = new TwoChoices(all, cost, random)
    for (let i = 0; i < 20_000; i++) {
      const chosen = choices.pick()
      if (chosen !== undefined) chosen.active++
    }
    const loads = all.map(({ active }) => active)
    expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(6)
  })

  it.each([0, 1])('serves %i items', (length) => {
    const all = items(...Array.from({ length }, () => 1))
    expect(new TwoChoices(all, cost, seeded(2)).pick()).toBe(all[0])
  })

  it('keeps to the weights while nobody is busy', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 2, maxLength: 6 }), seed, (list, start) => {
        const all = items(...list)
        const sum = list.reduce((a, b) => a + b, 0)
        const choices = new WeightedTwoChoices(all, { weight: ({ weight }) => weight, cost }, seeded(start))
        const counts = countPicks(() => choices.pick(), 10_000)
        for (const { name, weight } of all) expect(Math.abs((counts.get(name) ?? 0) / 10_000 - weight / sum)).toBeLessThan(0.03)
      }),
      { numRuns: 30 },
    )
  })

  it('finds weights that have changed', () => {
    const shares = new Map([
      ['0', 1],
      ['1', 1e-9],
    ])
    const of = { weight: ({ name }: Item) => shares.get(name) ?? 1, cost }
    const choices = new WeightedTwoChoices(items(1, 1), of, seeded(5))
    expect(countPicks(() => choices.pick(), 100)).toEqual(new Map([['0', 100]]))
    shares.set('1', 1)
    choices.reweigh()
    expect(countPicks(() => choices.pick(), 1_000).get('1')).toBeGreaterThan(400)
  })
})

const observing =
  (...answers: readonly (readonly [latencyMs: number, atMs: number])[]) =>
  (latency: Latency): void => {
    for (const [latencyMs, atMs] of answers) latency.observe(latencyMs, false, atMs)
  }

describe('latency', () => {
  it.each<[string, (latency: Latency) => void, number, number]>([
    ['an answer counts whole', observing([80, 0]), 0, 80],
    ['a slower one replaces it at once', observing([10, 0], [80, 0]), 0, 80],
    ['a faster one at the same time changes nothing', observing([80, 0], [10, 0]), 0, 80],
    ['10 s later it counts for two thirds', observing([80, 0], [10, 10_000]), 10_000, 35.8],
    ['silence draws it down', observing([80, 0]), 10_000, 29.4],
    ['a failure is slow, however fast it came', (l) => l.observe(1, true, 0), 0, 1_000],
  ])('%s', (_, observe, nowMs, expected) => {
    const latency = new Latency()
    observe(latency)
    expect(latency.cost(0, nowMs)).toBeCloseTo(expected, 1)
    expect(latency.cost(3, nowMs)).toBeCloseTo(expected * 4, 0)
  })

  it('lets one request try a new endpoint, and no second before the first is answered', () => {
    const [fresh, known] = [new Latency(), new Latency()]
    known.observe(50, false, 0)
    expect(fresh.cost(0, 0)).toBeLessThan(known.cost(0, 0))
    expect(fresh.cost(1, 0)).toBeGreaterThan(known.cost(1_000, 0))
  })

  it('sends a slow endpoint fewer requests than its fair share, and some again when it was quiet', () => {
    const all = ['slow', 'fast', 'fast2', 'fast3'].map((name) => ({ ...item(name), latency: new Latency() }))
    let nowMs = 0
    const questions: Questions<(typeof all)[number]> = {
      weight: () => 1,
      active: ({ active }) => active,
      latencyCost: ({ latency, active }) => latency.cost(active, nowMs),
    }
    const balancer = balancerFor('ewma', all, true, { questions, chance: seeded(9) })
    const counts = new Map<string, number>()
    for (let i = 0; i < 10_000; i++) {
      nowMs += 10
      const chosen = balancer.pick()
      if (chosen === undefined) continue
      counts.set(chosen.name, (counts.get(chosen.name) ?? 0) + 1)
      chosen.latency.observe(chosen.name === 'slow' ? 200 : 20, false, nowMs)
    }
    expect(counts.get('slow')).toBeGreaterThan(0)
    expect(counts.get('slow')).toBeLessThan(250)
    for (const name of ['fast', 'fast2', 'fast3']) expect(counts.get(name)).toBeGreaterThan(2_000)
  })
})

describe('who may have requests', () => {
  const standing = fc.record<Standing>({
    weight: fc.integer({ min: 0, max: 2 }),
    isUnhealthy: fc.boolean(),
    failingSinceMs: fc.integer({ min: 0, max: 4 }),
  })
  const share = fc.constantFrom(0, 0.1, 0.5, 0.9, 1)

  it('is somebody, whenever there are endpoints; never an ejected one; and of weight 0 only in need', () => {
    fc.assert(
      fc.property(fc.array(standing, { maxLength: 12 }), share, (all, most) => {
        const { first, spare, ejected } = eligible(all, most)
        expect(first.length > 0).toBe(all.length > 0)
        for (const one of ejected) expect([...first, ...spare].includes(one)).toBe(false)
        expect(ejected.length).toBeLessThanOrEqual(all.length * most)
        if (first.some(({ weight }) => weight > 0)) expect(first.every(({ weight }) => weight > 0)).toBe(true)
        else expect(spare).toEqual([])
      }),
    )
  })

  it('is unhealthy only when all are, and failing only when the share of ejected ones is used up or all fail', () => {
    fc.assert(
      fc.property(fc.array(standing, { minLength: 1, maxLength: 12 }), share, (all, most) => {
        const { first, spare, ejected } = eligible(all, most)
        const used = [...first, ...spare]
        const areAllUnhealthy = all.every(({ isUnhealthy }) => isUnhealthy)
        if (!areAllUnhealthy) expect(used.some(({ isUnhealthy }) => isUnhealthy)).toBe(false)
        const candidates = areAllUnhealthy ? all : all.filter(({ isUnhealthy }) => !isUnhealthy)
        const isPanic = candidates.every(({ failingSinceMs }) => failingSinceMs > 0)
        const isFull = ejected.length === Math.floor(all.length * most)
        if (!isPanic && !isFull) expect(used.some(({ failingSinceMs }) => failingSinceMs > 0)).toBe(false)
        if (isPanic) expect(ejected).toEqual([])
        expect(used.length + ejected.length).toBe(candidates.length)
      }),
    )
  })

  it.each<[string, readonly [weight: number, unhealthy: boolean, failing: number][], string]>([
    [
      'one of two that fails is ejected',
      [
        [1, false, 5],
        [1, false, 0],
      ],
      '1',
    ],
    ['a single one is not', [[1, false, 5]], '0'],
    [
      'of three, the one that failed first',
      [
        [1, false, 9],
        [1, false, 5],
        [1, false, 0],
      ],
      '0 2',
    ],
    [
      'all, when all fail',
      [
        [1, false, 9],
        [1, false, 5],
      ],
      '0 1',
    ],
    [
      'those that checks found well, even when they fail',
      [
        [1, true, 0],
        [1, false, 5],
      ],
      '1',
    ],
    [
      'all, when none is well',
      [
        [1, true, 0],
        [1, true, 0],
      ],
      '0 1',
    ],
    [
      'weight 0 when the others are out',
      [
        [0, false, 0],
        [1, true, 0],
      ],
      '0',
    ],
  ])('%s', (_, list, expected) => {
    const all = list.map(([weight, isUnhealthy, failingSinceMs], i) => ({ weight, isUnhealthy, failingSinceMs, name: `${i}` }))
    expect(
      eligible(all, 0.5)
        .first.map(({ name }) => name)
        .join(' '),
    ).toBe(expected)
  })
})
