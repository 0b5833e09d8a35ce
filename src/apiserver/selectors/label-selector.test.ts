import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../../api/index.ts'
import { matchesLabels, parseLabelSelector } from './label-selector.ts'

const web = { app: 'web', tier: 'front', size: '10', empty: '' }

describe('matching', () => {
  it.each([
    ['', true],
    ['  ', true],
    ['app=web', true],
    ['app==web', true],
    [' app = web ', true],
    ['app=db', false],
    ['app!=web', false],
    ['app!=db', true],
    ['nosuch!=db', true],
    ['nosuch=db', false],
    ['app in (web, db)', true],
    ['app in(db,web)', true],
    ['app in (db)', false],
    ['app notin (web)', false],
    ['app notin (db)', true],
    ['nosuch notin (db)', true],
    ['nosuch in (db)', false],
    ['app', true],
    ['nosuch', false],
    ['!app', false],
    ['!nosuch', true],
    ['! nosuch', true],
    ['empty=', true],
    ['empty=,app=web', true],
    ['empty in ()', true],
    ['empty in (a,,b)', true],
    ['app=', false],
    ['size>9', true],
    ['size>10', false],
    ['size<11', true],
    ['app>1', false],
    ['nosuch>1', false],
    ['app=web,tier=front', true],
    ['app=web,tier=back', false],
    ['app=web,app=db', false],
    ['in', false],
    ['in in (in,notin)', false],
    ['notin!=in', true],
    ['app=in', false],
    ['app.kubernetes.io/name!=x', true],
    ['toString', false],
    ['!constructor', true],
  ])('%j on app=web,tier=front,size=10,empty= is %s', (selector, expected) => {
    expect(matchesLabels(parseLabelSelector(selector), web)).toBe(expected)
  })

  it('takes missing labels for none', () => {
    expect(matchesLabels(parseLabelSelector('!a,b!=c'), undefined)).toBe(true)
  })
})

describe('errors', () => {
  it.each([
    ['app=web,', "found '', expected: identifier after ','"],
    [',app', "found ',', expected: !, identifier, or 'end of string'"],
    ['=web', "found '=', expected: !, identifier, or 'end of string'"],
    ['!', "found '', expected: identifier"],
    ['app web', "found 'web', expected: in, notin, =, ==, !=, gt, lt"],
    ['app=web db', "found 'db', expected: ',' or 'end of string'"],
    ['app in', "found '', expected: '('"],
    ['app in (a', "found '', expected: ',' or ')'"],
    ['app in (a b)', "found 'b', expected: ',' or ')'"],
    ['app===web', "found '=', expected: identifier"],
    ['!app=web', "found '=', expected: ',' or 'end of string'"],
    ['app>web', 'the value must be an integer'],
    ['a_/b', 'prefix part'],
    ['a/b/c', 'qualified name'],
    ['/a', 'prefix part must be non-empty'],
    ['a/', 'name part must be non-empty'],
    ['-app', 'name part must consist of alphanumeric characters'],
    [`a=${'x'.repeat(64)}`, 'must be no more than 63 bytes'],
    [`${'x'.repeat(64)}`, 'name part must be no more than 63 bytes'],
    ['a=b*', 'values[0][a]: Invalid value: "b*"'],
  ])('%j: %s', (selector, message) => {
    expect(() => parseLabelSelector(selector)).toThrow(message)
    expect(() => parseLabelSelector(selector)).toThrow(ApiError)
  })

  it('are ApiErrors for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=!()<>, \\-/in') }), (text) => {
        try {
          parseLabelSelector(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 400, reason: 'BadRequest' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

it('agrees with a plain reading of any well-formed selector', () => {
  const label = fc.constantFrom('a', 'b', 'c')
  const value = fc.constantFrom('x', 'y', '')
  const term = fc.tuple(label, fc.constantFrom('=', '==', '!='), value)
  fc.assert(
    fc.property(fc.array(term), fc.dictionary(label, value), (terms, labels) => {
      const text = terms.map((parts) => parts.join('')).join(',')
      const expected = terms.every(([key, operator, wanted]) => (labels[key] === wanted) === (operator !== '!='))
      expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected)
    }),
  )
})
