import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sameValue } from './same-value.ts'

describe('sameValue', () => {
  it.each<[unknown, unknown, boolean]>([
    [undefined, null, true],
    [undefined, [], true],
    [{}, null, true],
    [{ a: [] }, {}, true],
    [{ a: undefined }, {}, true],
    [0, undefined, false],
    ['', undefined, false],
    [false, null, false],
    [[1, 2], [2, 1], false],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [[1], { 0: 1 }, false],
    [{ 0: 1 }, [1], false],
    [{ a: 1 }, { b: 1 }, false],
    [JSON.parse('{"__proto__":1}'), {}, false],
    [{ toString: undefined }, {}, true],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(sameValue(a, b)).toBe(expected)
    expect(sameValue(b, a)).toBe(expected)
  })

  it('holds for every value and its copy', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => sameValue(value, JSON.parse(JSON.stringify(value)))))
  })
})
