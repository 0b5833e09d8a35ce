import { describe, expect, it } from 'vitest'
import { Bitmap, parseCIDR } from '../../ip/index.ts'
import { addressBands, pickFree, portBands } from './bands.ts'

describe('bands', () => {
  it.each([
    ['10.0.0.0/16', { from: 1, dynamicFrom: 257, to: 65535 }],
    ['10.0.0.0/24', { from: 1, dynamicFrom: 17, to: 255 }],
    ['10.0.0.0/20', { from: 1, dynamicFrom: 257, to: 4095 }],
    ['10.0.0.0/27', { from: 1, dynamicFrom: 17, to: 31 }],
    ['10.0.0.0/28', { from: 1, dynamicFrom: 1, to: 15 }],
    ['10.0.0.0/31', { from: 0, dynamicFrom: 0, to: 2 }],
    ['10.0.0.0/32', { from: 0, dynamicFrom: 0, to: 1 }],
    ['fd00::/120', { from: 1, dynamicFrom: 17, to: 256 }],
    ['fd00::/64', { from: 1, dynamicFrom: 257, to: 2 ** 48 }],
  ])('of the range %s', (text, expected) => {
    expect(addressBands(parseCIDR(text)!)).toEqual(expected)
  })

  it.each([
    [2768, 86],
    [16, 0],
    [17, 16],
    [1000, 31],
    [10_000, 128],
  ])('of %i node ports', (size, dynamicFrom) => {
    expect(portBands(size)).toEqual({ from: 0, dynamicFrom, to: size })
  })

  it('picks go through the whole dynamic band, then through the static one, then fail', () => {
    const bands = { from: 1, dynamicFrom: 5, to: 10 }
    const taken = new Bitmap(10)
    const picks = Array.from({ length: 10 }, () => {
      const offset = pickFree(taken, bands, () => 0.5)
      if (offset !== undefined) taken.add(offset)
      return offset
    })
    expect(picks).toEqual([7, 8, 9, 5, 6, 1, 2, 3, 4, undefined])
  })
})
