import { describe, expect, it } from 'vitest'
import { Problems } from '../problems.ts'
import { problemLines } from '../testing/index.ts'
import type { LabelSelector } from './label-selector.ts'
import { formatLabelSelector, isEmptySelector, labelsMatch, selectorMatches, validateLabelSelector } from './selector.ts'

const labels = { app: 'web', tier: 'front' }
const expression = (key: string, operator: string, ...values: string[]) =>
  ({ matchExpressions: [{ key, operator, ...(values.length > 0 ? { values } : {}) }] }) as LabelSelector

describe('selectorMatches', () => {
  it.each<[LabelSelector | undefined, boolean]>([
    [undefined, false],
    [{}, true],
    [{ matchLabels: { app: 'web' } }, true],
    [{ matchLabels: { app: 'web', x: '' } }, false],
    [{ matchLabels: { app: 'other' } }, false],
    [expression('app', 'In', 'api', 'web'), true],
    [expression('app', 'In', 'api'), false],
    [expression('x', 'In', ''), false],
    [expression('app', 'NotIn', 'web'), false],
    [expression('x', 'NotIn', 'web'), true],
    [expression('app', 'Exists'), true],
    [expression('x', 'Exists'), false],
    [expression('x', 'DoesNotExist'), true],
    [expression('app', 'DoesNotExist'), false],
    [{ matchLabels: { app: 'web' }, ...expression('tier', 'NotIn', 'front') }, false],
    [expression('constructor', 'Exists'), false],
    [{ matchLabels: JSON.parse('{"__proto__":"x"}') }, false],
  ])('%j: %s', (selector, expected) => {
    expect(selectorMatches(selector, labels)).toBe(expected)
  })

  it('matches no labels at all only when it asks for none', () => {
    expect(selectorMatches({ matchLabels: { app: 'web' } }, undefined)).toBe(false)
    expect(labelsMatch({}, undefined)).toBe(true)
    expect(isEmptySelector({ matchLabels: {}, matchExpressions: [] })).toBe(true)
  })
})

describe('validateLabelSelector', () => {
  it.each<[LabelSelector, string[]]>([
    [
      expression('a', 'In'),
      ["spec.selector.matchExpressions[0].values: Required must be specified when `operator` is 'In' or 'NotIn'"],
    ],
    [
      expression('a', 'Exists', 'x'),
      ["spec.selector.matchExpressions[0].values: Forbidden may not be specified when `operator` is 'Exists' or 'DoesNotExist'"],
    ],
    [expression('a', 'Near', 'x'), ['spec.selector.matchExpressions[0].operator: Invalid not a valid selector operator']],
    [
      expression('', 'Exists'),
      [
        'spec.selector.matchExpressions[0].key: Invalid name part must be non-empty',
        "spec.selector.matchExpressions[0].key: Invalid name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    [{ matchLabels: { a: 'b' } }, []],
  ])('%j', (selector, expected) => {
    const problems = new Problems()
    validateLabelSelector(problems, 'spec.selector', selector)
    expect(problemLines(problems.list)).toEqual(expected)
  })
})

describe('formatLabelSelector', () => {
  it('orders by key and writes every operator', () => {
    const selector: LabelSelector = {
      matchLabels: { c: '1', a: '2' },
      matchExpressions: [
        { key: 'b', operator: 'In', values: ['y', 'x'] },
        { key: 'd', operator: 'NotIn', values: ['z'] },
        { key: 'e', operator: 'Exists' },
        { key: 'f', operator: 'DoesNotExist' },
      ],
    }
    expect(formatLabelSelector(selector)).toBe('a=2,b in (x,y),c=1,d notin (z),e,!f')
    expect(formatLabelSelector(undefined)).toBe('')
  })
})
