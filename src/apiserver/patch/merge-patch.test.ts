import { describe, expect, it } from 'vitest'
import { any } from '../../schema/index.ts'
import { applyPatch } from './apply-patch.ts'
import { applyMergePatch } from './merge-patch.ts'

describe('the examples of RFC 7396, appendix A', () => {
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (current, patch, expected) => {
    const before = JSON.stringify([current, patch])
    expect(applyMergePatch(current, patch)).toEqual(expected)
    expect(JSON.stringify([current, patch])).toBe(before)
  })
})

it.each([[[]], ['x'], [null], [5]])('%j is no merge patch of an object', (patch) => {
  expect(() => applyMergePatch({}, patch)).toThrow(expect.objectContaining({ code: 400 }))
})

it('keeps __proto__ as plain data', () => {
  const patch: unknown = JSON.parse('{"__proto__": {"x": 1}, "a": {"__proto__": "y", "constructor": {"b": 2}}}')
  const merged = applyMergePatch({ a: {} }, patch)
  expect(JSON.stringify(merged)).toBe('{"a":{"__proto__":"y","constructor":{"b":2}},"__proto__":{"x":1}}')
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
})

it('refuses a patch nested so deeply that it would exhaust the stack', () => {
  const patch: unknown = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)
  expect(() => applyPatch({ type: 'merge', schema: any(), current: {}, patch })).toThrow(expect.objectContaining({ code: 400 }))
})
