import fc from 'fast-check'
import { applyPatch as applyReference, createPatch } from 'rfc6902'
import { describe, expect, it } from 'vitest'
import { applyJsonPatch } from './json-patch.ts'

const document = { a: 1, list: ['x', 'y'], nested: { 'b/c': { '~': 0 }, '': 'empty' } }

describe('operations', () => {
  it.each([
    [[{ op: 'add', path: '/b', value: 2 }], { ...document, b: 2 }],
    [[{ op: 'add', path: '/list/1', value: 'z' }], { ...document, list: ['x', 'z', 'y'] }],
    [[{ op: 'add', path: '/list/2', value: 'z' }], { ...document, list: ['x', 'y', 'z'] }],
    [[{ op: 'add', path: '/list/-', value: 'z' }], { ...document, list: ['x', 'y', 'z'] }],
    [[{ op: 'add', path: '', value: 5 }], 5],
    [[{ op: 'remove', path: '/a' }], { list: document.list, nested: document.nested }],
    [[{ op: 'remove', path: '/list/0' }], { ...document, list: ['y'] }],
    [[{ op: 'replace', path: '/nested/b~1c/~0', value: 9 }], { ...document, nested: { 'b/c': { '~': 9 }, '': 'empty' } }],
    [[{ op: 'replace', path: '/nested/', value: 9 }], { ...document, nested: { 'b/c': { '~': 0 }, '': 9 } }],
    [[{ op: 'replace', path: '', value: null }], null],
    [[{ op: 'move', from: '/a', path: '/list/0' }], { list: [1, 'x', 'y'], nested: document.nested }],
    [[{ op: 'move', from: '/list/0', path: '/list/1' }], { ...document, list: ['y', 'x'] }],
    [[{ op: 'move', from: '/a', path: '/a' }], document],
    [[{ op: 'move', from: '/nested', path: '' }], document.nested],
    [[{ op: 'copy', from: '/list', path: '/b' }], { ...document, b: ['x', 'y'] }],
    [[{ op: 'test', path: '/list', value: ['x', 'y'] }], document],
    [[{ op: 'test', path: '/nested', value: { '': 'empty', 'b/c': { '~': 0 } } }], document],
    [[], document],
  ])('%j', (patch, expected) => {
    const before = JSON.stringify(document)
    expect(applyJsonPatch(document, patch)).toEqual(expected)
    expect(JSON.stringify(document)).toBe(before)
  })

  it('does not let a copy and its source share changes', () => {
    const patch = [
      { op: 'copy', from: '/list', path: '/b' },
      { op: 'add', path: '/b/-', value: 'z' },
    ]
    expect(applyJsonPatch(document, patch)).toMatchObject({ list: ['x', 'y'], b: ['x', 'y', 'z'] })
  })
})

describe('failures', () => {
  it.each([
    [{ op: 'remove', path: '/nosuch' }, 'there is no such value'],
    [{ op: 'remove', path: '/list/2' }, 'there is no such value'],
    [{ op: 'remove', path: '/list/-' }, 'there is no such value'],
    [{ op: 'remove', path: '' }, 'the whole object cannot be removed'],
    [{ op: 'replace', path: '/nosuch', value: 1 }, 'there is no such value'],
    [{ op: 'replace', path: '/list/2', value: 1 }, 'there is no such value'],
    [{ op: 'add', path: '/nosuch/b', value: 1 }, 'the path leads nowhere'],
    [{ op: 'add', path: '/a/b', value: 1 }, 'the path leads nowhere'],
    [{ op: 'add', path: '/list/3', value: 1 }, 'beyond the end of the list'],
    [{ op: 'add', path: '/list/01', value: 1 }, 'the path leads nowhere'],
    [{ op: 'add', path: '/list/x', value: 1 }, 'the path leads nowhere'],
    [{ op: 'add', path: 'b', value: 1 }, 'must be a JSON pointer'],
    [{ op: 'add', path: '/~2', value: 1 }, 'must be a JSON pointer'],
    [{ op: 'add', value: 1 }, 'must be a JSON pointer'],
    [{ op: 'add', path: '/b' }, '"value" is missing'],
    [{ op: 'copy', path: '/b' }, '"from" must be a JSON pointer'],
    [{ op: 'move', from: '/nested', path: '/nested/x' }, 'cannot be moved into itself'],
    [{ op: 'test', path: '/a', value: 2 }, 'the value is another'],
    [{ op: 'test', path: '/a', value: '1' }, 'the value is another'],
    [{ op: 'test', path: '/list', value: ['y', 'x'] }, 'the value is another'],
    [{ op: 'test', path: '/nosuch', value: null }, 'there is no such value'],
    [{ op: 'frobnicate', path: '/a' }, 'unknown operation'],
    [{ path: '/a' }, 'unknown operation'],
  ])('%j: %s', (operation, message) => {
    expect(() => applyJsonPatch(document, [operation])).toThrow(expect.objectContaining({ code: 422, reason: 'Invalid' }))
    expect(() => applyJsonPatch(document, [operation])).toThrow(message)
  })

  it('name the operation', () => {
    const patch = [
      { op: 'add', path: '/b', value: 1 },
      { op: 'test', path: '/b', value: 2 },
    ]
    expect(() => applyJsonPatch(document, patch)).toThrow('operation 1 (test "/b")')
  })

  it.each([[{}], ['x'], [null], [[1]], [[null]]])('%j is no patch', (patch) => {
    expect(() => applyJsonPatch(document, patch)).toThrow(expect.objectContaining({ code: 400 }))
  })
})

describe('hostile patches', () => {
  it('never reach Object.prototype', () => {
    for (const path of ['/__proto__/x', '/constructor/prototype/x', '/nested/__proto__/x', '/list/__proto__/x', '/toString/x']) {
      expect(() => applyJsonPatch(document, [{ op: 'add', path, value: 1 }])).toThrow('the path leads nowhere')
      expect(() => applyJsonPatch(document, [{ op: 'copy', from: path.slice(0, -2), path: '/b' }])).toThrow()
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it('may hold __proto__ as plain data', () => {
    const patched = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { x: 1 } }]) as object
    expect(JSON.stringify(patched)).toBe('{"__proto__":{"x":1}}')
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype)
  })

  it('may have 10,000 operations and not one more', () => {
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 }))
    expect(applyJsonPatch(document, operations.slice(1))).toEqual(document)
    expect(() => applyJsonPatch(document, operations)).toThrow(expect.objectContaining({ code: 413 }))
  })

  it('cannot double the document for ever', () => {
    const doubling = Array.from({ length: 100 }, (_, index) => ({ op: 'copy', from: '', path: `/b${index}` }))
    expect(() => applyJsonPatch({ text: 'x'.repeat(1000) }, doubling)).toThrow('too')
  })

  it('cannot compare a large list for ever', () => {
    const list = Array.from({ length: 100_000 }, (_, index) => index)
    const operations = Array.from({ length: 10_000 }, () => ({ op: 'test', path: '', value: list }))
    expect(() => applyJsonPatch(list, operations)).toThrow('too much work')
  })

  it('cannot shift a large list for ever', () => {
    const list = Array.from({ length: 100_000 }, (_, index) => index)
    const operations = Array.from({ length: 10_000 }, () => ({ op: 'add', path: '/0', value: 1 }))
    expect(() => applyJsonPatch(list, operations)).toThrow('too much work')
  })

  it('cannot nest values without end', () => {
    const deep = '/a'.repeat(499)
    let chain: unknown = {}
    for (let level = 0; level < 498; level++) chain = { a: chain }
    const operations = Array.from({ length: 100 }, () => ({ op: 'copy', from: '', path: deep }))
    expect(() => applyJsonPatch(chain, operations)).toThrow('too deep')
  })
})

describe('properties', () => {
  const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: true } as fc.JsonSharedConstraints)

  it('makes one document of another with the patch that the rfc6902 package computes', () => {
    fc.assert(
      fc.property(json, json, (from, to) => {
        const [input, output] = [JSON.parse(JSON.stringify(from)), JSON.parse(JSON.stringify(to))] as unknown[]
        expect(applyJsonPatch(input, createPatch(input, output))).toEqual(output)
      }),
    )
  })

  it('agrees with the rfc6902 package on whatever it applies; the package also applies what it should not', () => {
    const path = fc.constantFrom('/a', '/a/b', '/list', '/list/0', '/list/1', '/list/-', '/list/7', '/c', '/c/d')
    const op = fc.constantFrom('add', 'remove', 'replace', 'copy', 'test')
    const operation = fc.record({ op, path, from: path, value: fc.constantFrom(1, 'x', [1], { b: 2 }) })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 4 }), (operations) => {
        const start = { a: { b: 1 }, list: [1, { x: 2 }] }
        const patched = patchedOrFailure(start, operations)
        if (patched === undefined) return
        const reference = structuredClone(start)
        expect(applyReference(reference, operations as Parameters<typeof applyReference>[1])).toEqual(operations.map(() => null))
        expect(patched).toEqual(reference)
      }),
      { numRuns: 1000 },
    )
  })
})

const patchedOrFailure = (document: unknown, operations: readonly object[]): unknown => {
  try {
    return applyJsonPatch(document, operations)
  } catch (error) {
    expect(error).toMatchObject({ code: 422 })
    return undefined
  }
}
