import { describe, expect, it } from 'vitest'
import { compareQuantities, parseQuantity, quantityToNumber } from './quantity.ts'

describe('quantities', () => {
  it.each<[string | number, number]>([
    ['1', 1],
    ['100m', 0.1],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1Ki', 1024],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2k', 2000],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['-1', -1],
    ['+1', 1],
    [7, 7],
  ])('%s is %d', (text, value) => {
    expect(quantityToNumber(text)).toBe(value)
  })

  it.each(['', '.', 'm', '1x', '1 Ki', 'NaN', '0x1', '1e', '9'.repeat(100)])('%j is none', (text) => {
    expect(parseQuantity(text)).toBeUndefined()
    expect(compareQuantities(text, 1)).toBeUndefined()
  })

  it('compare across suffixes', () => {
    expect(compareQuantities('1024Mi', '1Gi')).toBe(0)
    expect(compareQuantities('999m', '1')).toBeLessThan(0)
    expect(compareQuantities('1G', '1Gi')).toBeLessThan(0)
    expect(compareQuantities('1n', '0')).toBeGreaterThan(0)
  })
})
