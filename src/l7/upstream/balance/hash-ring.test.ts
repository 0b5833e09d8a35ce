import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HashRing, type RingItem } from './hash-ring.ts'

const nodes = (length: number, weight = 1): RingItem[] => Array.from({ length }, (_, i) => ({ id: `10.0.0.${i}:8080`, weight }))
const keys = Array.from({ length: 5_000 }, (_, i) => `/key/${i}`)
const any = (): boolean => true
const ownersOf = (all: readonly RingItem[], mayUse: (item: RingItem) => boolean = any): (string | undefined)[] => {
  const ring = new HashRing(all)
  return keys.map((key) => ring.find(key, mayUse)?.id)
}

describe('consistent hashing', () => {
  it('moves only the keys of an endpoint that goes, and takes only what a new one gets', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), (length, which) => {
        const all = nodes(length)
        const gone = all[which % length]
        const before = ownersOf(all)
        const after = ownersOf(all.filter((one) => one !== gone))
        const moved = keys.filter((_, i) => before[i] !== after[i])
        expect(moved).toEqual(keys.filter((_, i) => before[i] === gone?.id))
      }),
      { numRuns: 40 },
    )
  })

  it('leaves the keys of the others where they are while an endpoint may not be used, as if it had gone', () => {
    const all = nodes(7)
    expect(ownersOf(all, ({ id }) => id !== all[3]?.id)).toEqual(ownersOf(all.filter((_, i) => i !== 3)))
  })

  it('does not depend on the order of the endpoints', () => {
    expect(ownersOf(nodes(9).reverse())).toEqual(ownersOf(nodes(9)))
  })

  it.each([2, 5, 20, 100])('shares the keys of %i endpoints about equally', (length) => {
    const counts = new Map<string, number>()
    const ring = new HashRing(nodes(length))
    for (let i = 0; i < 200_000; i++) {
      const id = ring.find(`user-${i}`, any)?.id ?? ''
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const shares = [...counts.values()].map((count) => (count * length) / 200_000)
    expect(counts.size).toBe(length)
    expect(Math.max(...shares)).toBeLessThan(1.35)
    expect(Math.min(...shares)).toBeGreaterThan(0.7)
  })

  it('keeps to weights, and gives an endpoint of weight 0 no key', () => {
    const all = [
      { id: 'a', weight: 3 },
      { id: 'b', weight: 1 },
      { id: 'c', weight: 0 },
    ]
    const owners = ownersOf(all)
    expect(owners.filter((id) => id === 'a').length / keys.length).toBeCloseTo(0.75, 1)
    expect(owners).not.toContain('c')
  })

  it('has an owner for no key when no endpoint may be used', () => {
    expect(new HashRing([]).find('a', any)).toBeUndefined()
    expect(new HashRing(nodes(3)).find('a', () => false)).toBeUndefined()
    expect(new HashRing(nodes(3, 0)).find('a', any)).toBeUndefined()
  })

  it('finds the same subset for a key while its endpoints stay, each endpoint once', () => {
    const all = nodes(10)
    const subsetOf = (some: readonly RingItem[], key: string): string[] =>
      new HashRing(some).findSome(key, 3, any).map(({ id }) => id)
    for (const key of keys.slice(0, 200)) {
      const subset = subsetOf(all, key)
      expect(new Set(subset).size).toBe(3)
      const outsider = all.find(({ id }) => !subset.includes(id))
      expect(
        subsetOf(
          all.filter((one) => one !== outsider),
          key,
        ),
      ).toEqual(subset)
    }
    expect(subsetOf(nodes(2), 'a')).toHaveLength(2)
  })

  it('keeps to weights whose points would be too many', () => {
    const all = Array.from({ length: 1_000 }, (_, i) => ({ id: `${i}`, weight: 1 + (i % 100) }))
    const counts = ownersOf(all).filter((id) => Number(id) % 100 >= 50).length
    expect(counts / keys.length).toBeCloseTo(0.75, 1)
  })
})
