import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duplicateFields } from './duplicate-fields.ts'

describe('duplicate fields', () => {
  it.each([
    ['{"a":1,"a":2}', ['a']],
    ['{"spec":{"ports":[{"port":1},{"port":1,"port":2}]}}', ['spec.ports[1].port']],
    ['{"a":{"x":1},"b":{"x":1}}', []],
    ['{"a":"a","b":"a"}', []],
    ['{"a\\u0062":1,"ab":2}', ['ab']],
    ['{"a":"\\"a\\":1,","b":[",","a"]}', []],
    ['[{"a":1},{"a":1,"a":1}]', ['[1].a']],
    ['"a"', []],
  ])('%s has %j', (text, expected) => {
    JSON.parse(text)
    expect(duplicateFields(text)).toEqual(expected)
  })

  it('finds none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(duplicateFields(JSON.stringify(value))).toEqual([])
      }),
    )
  })

  it('is linear in nesting and length', () => {
    expect(duplicateFields('['.repeat(1_000_000) + ']'.repeat(1_000_000))).toEqual([])
    expect(duplicateFields(`{${Array.from({ length: 100_000 }, () => '"a":1').join(',')}}`)).toEqual(['a'])
  })
})
