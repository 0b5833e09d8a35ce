import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bitmap } from './index.ts'

describe('Bitmap', () => {
  it('takes and gives back', () => {
    const bitmap = new Bitmap(100)
    expect(bitmap.add(7)).toBe(true)
    expect(bitmap.add(7)).toBe(false)
    expect(bitmap.has(7)).toBe(true)
    expect(bitmap.delete(7)).toBe(true)
    expect(bitmap.delete(7)).toBe(false)
    expect(bitmap.count).toBe(0)
  })

  it.each([-1, 100, 1.5, Number.NaN])('refuses the offset %d', (offset) => {
    expect(() => new Bitmap(100).add(offset)).toThrow(RangeError)
  })

  it('finds the next free offset, goes round, and knows when the band is full', () => {
    const bitmap = new Bitmap(10)
    for (const offset of [4, 5, 8, 9]) bitmap.add(offset)
    expect(bitmap.findFree(4, 4, 10)).toBe(6)
    expect(bitmap.findFree(8, 4, 10)).toBe(6)
    expect(bitmap.findFree(0, 4, 6)).toBeUndefined()
    expect(bitmap.findFree(0, 3, 3)).toBeUndefined()
  })

  it('serves a range of 2^53 - 1 without paying for it', () => {
    const bitmap = new Bitmap(Number.MAX_SAFE_INTEGER)
    const high = Number.MAX_SAFE_INTEGER - 1
    bitmap.add(high)
    expect(bitmap.findFree(high, high, Number.MAX_SAFE_INTEGER)).toBeUndefined()
    expect(bitmap.findFree(high, 256, Number.MAX_SAFE_INTEGER)).toBe(256)
    expect([...bitmap]).toEqual([high])
  })

  it('behaves as a set of numbers', () => {
    const size = 9000
    const near = fc.oneof(
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 4060, max: 4130 }),
      fc.integer({ min: 0, max: size - 1 }),
    )
    const fill = fc.tuple(fc.constant('fill' as const), near, fc.integer({ min: 1, max: 5000 }))
    const step = fc.oneof(fill, fc.tuple(fc.constantFrom('add' as const, 'delete' as const, 'find' as const), near, near))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const bitmap = new Bitmap(size)
        const model = new Set<number>()
        for (const [action, a, b] of steps) {
          if (action === 'add') expect(bitmap.add(a)).toBe(!model.has(a) && model.add(a) === model)
          else if (action === 'delete') expect(bitmap.delete(a)).toBe(model.delete(a))
          else if (action === 'fill') {
            for (let offset = a; offset < Math.min(size, a + b); offset++) {
              bitmap.add(offset)
              model.add(offset)
            }
          } else {
            const low = Math.min(a, b)
            let expected: number | undefined
            for (let offset = a; offset < size && expected === undefined; offset++) if (!model.has(offset)) expected = offset
            for (let offset = low; offset < a && expected === undefined; offset++) if (!model.has(offset)) expected = offset
            expect(bitmap.findFree(a, low, size)).toBe(expected)
          }
          expect(bitmap.count).toBe(model.size)
        }
        expect([...bitmap]).toEqual([...model].sort((x, y) => x - y))
      }),
    )
  })
})
