import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Candidate, createBalancer } from './balancer.ts'

const candidate = (port: number, weight: number, isDead = false): Candidate => ({ address: '10.0.0.1', port, weight, isDead })
const turns = { scheduler: 'WRR', sessionMs: 0 } as const

describe('a balancer', () => {
  it('gives each its share within one round of weights, and nothing to those without a weight or dead', () => {
    const arbitrary = fc.array(fc.record({ weight: fc.nat(20), isDead: fc.boolean() }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(arbitrary, (given) => {
        const candidates = given.map(({ weight, isDead }, port) => candidate(port, weight, isDead))
        const balancer = createBalancer(() => 0)
        balancer.update(candidates, turns)
        const weighted = candidates.filter(({ weight }) => weight > 0)
        const living = weighted.filter(({ isDead }) => !isDead)
        const usable = living.length > 0 ? living : weighted
        const total = usable.reduce((sum, { weight }) => sum + weight, 0)
        const counts = new Map<number, number>()
        for (let n = 0; n < total; n++) {
          const port = balancer.choose('c')?.port ?? -1
          counts.set(port, (counts.get(port) ?? 0) + 1)
        }
        expect(counts).toEqual(new Map(usable.map(({ port, weight }) => [port, weight])))
        if (usable.length === 0) expect(balancer.choose('c')).toBeUndefined()
      }),
    )
  })

  it('tries another one, and nobody twice', () => {
    const balancer = createBalancer(() => 0)
    balancer.update([candidate(1, 1), candidate(2, 1)], turns)
    const first = balancer.choose('c')
    const second = balancer.choose('c', first ? [first] : [])
    expect(second?.port).not.toBe(first?.port)
    expect(balancer.choose('c', [candidate(1, 1), candidate(2, 1)])).toBeUndefined()
  })

  it('keeps a client until its session ends, its target dies, or has no weight', () => {
    let now = 0
    const balancer = createBalancer(() => now)
    const sessions = { scheduler: 'WRR', sessionMs: 100 } as const
    balancer.update([candidate(1, 1), candidate(2, 1)], sessions)
    expect([1, 2, 3].map(() => balancer.choose('a')?.port)).toEqual([1, 1, 1])
    expect(balancer.choose('b')?.port).toBe(2)
    now = 99
    expect(balancer.choose('a')?.port).toBe(1)
    now = 198
    expect(balancer.choose('a')?.port).toBe(1)
    balancer.update([candidate(1, 0), candidate(2, 1)], sessions)
    expect(balancer.choose('a')?.port).toBe(2)
    balancer.update([candidate(1, 1), candidate(2, 1, true)], sessions)
    expect(balancer.choose('a')?.port).toBe(1)
    now = 298
    balancer.update([candidate(1, 1), candidate(2, 1)], sessions)
    const after = [balancer.choose('b')?.port, balancer.choose('a')?.port]
    expect(new Set(after).size).toBe(2)
  })

  it('of LEAST_CONN weighs open connections by weight', () => {
    const balancer = createBalancer(() => 0)
    balancer.update([candidate(1, 30), candidate(2, 10)], { scheduler: 'LEAST_CONN', sessionMs: 0 })
    const chosen = Array.from({ length: 8 }, () => {
      const one = balancer.choose('c')
      if (one !== undefined) balancer.opened(one)
      return one?.port
    })
    expect(chosen.filter((port) => port === 1)).toHaveLength(6)
    for (let n = 0; n < 6; n++) balancer.closed(candidate(1, 30))
    expect(balancer.choose('c')?.port).toBe(1)
  })
})
