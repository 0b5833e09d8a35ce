import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../api/index.ts'
import { exactField, fieldMatcher, parseFieldSelector } from './field-selector.ts'

interface Thing extends KubeObject {
  readonly type: string
}

const kind = { namespaced: true, selectableFields: [{ path: 'spec.type', read: (thing: Thing) => thing.type }] }
const thing: Thing = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'web', namespace: 'shop' }, type: 'a,b=c\\d' }

describe('matching', () => {
  it.each([
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web', true],
    ['metadata.name!=web', false],
    ['metadata.name!=db', true],
    ['metadata.name=web,metadata.namespace=shop', true],
    ['metadata.name=web,metadata.namespace=other', false],
    ['metadata.name=web,', true],
    ['spec.type=a\\,b\\=c\\\\d', true],
    ['spec.type=', false],
    ['spec.type!=', true],
  ])('%j is %s', (selector, expected) => {
    expect(fieldMatcher(kind, parseFieldSelector(selector))(thing)).toBe(expected)
  })

  it('survives escaping of any value', () => {
    fc.assert(
      fc.property(fc.string(), (type) => {
        const escaped = type.replace(/[\\,=]/g, (character) => `\\${character}`)
        expect(fieldMatcher(kind, parseFieldSelector(`spec.type=${escaped},metadata.name=web`))({ ...thing, type })).toBe(true)
      }),
    )
  })
})

describe('errors', () => {
  it.each([
    ['metadata.name', "invalid selector: 'metadata.name'; can't understand 'metadata.name'"],
    ['a=b,c', "invalid selector: 'a=b,c'; can't understand 'c'"],
    ['metadata.name=a=b', "unescaped character in value: '='"],
    ['metadata.name=a\\b', 'invalid escape sequence: \\b'],
    ['metadata.name=a\\', 'invalid escape sequence: \\'],
  ])('%j: %s', (selector, message) => {
    expect(() => parseFieldSelector(selector)).toThrow(message)
  })

  it.each(['spec.nosuch=a', 'toString=a', '=a'])('%j names no field of the kind', (selector) => {
    expect(() => fieldMatcher(kind, parseFieldSelector(selector))).toThrow('field label not supported')
  })

  it('refuses metadata.namespace where there is none', () => {
    expect(() => fieldMatcher({ ...kind, namespaced: false }, parseFieldSelector('metadata.namespace=a'))).toThrow(
      'not supported',
    )
  })
})

it('tells a name that is fixed', () => {
  expect(exactField(parseFieldSelector('spec.type!=a,metadata.name=web'), 'metadata.name')).toBe('web')
  expect(exactField(parseFieldSelector('metadata.name!=web'), 'metadata.name')).toBeUndefined()
})
