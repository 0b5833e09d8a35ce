import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deploymentKind, serviceKind } from '../../api/index.ts'
import { any, list, map, object, optional, string } from '../../schema/index.ts'
import { applyPatch } from './apply-patch.ts'
import { applyStrategicPatch } from './strategic-patch.ts'

const item = object('Item', { name: optional(1, string()), value: optional(2, string()), other: optional(3, string()) })
const schema = object('Thing', {
  merging: optional(1, list(item, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
  atomic: optional(2, list(item)),
  set: optional(3, list(string(), { type: 'set', patch: 'merge' })),
  plain: optional(4, list(string())),
  labels: optional(5, map(string())),
  inner: optional(6, object('Inner', { a: optional(1, string()), b: optional(2, string()), c: optional(3, string()) })),
  open: optional(7, any()),
  replaced: optional(8, object('Replaced', { a: optional(1, string()), b: optional(2, string()) }, { patch: 'replace' })),
})

const merge = (current: unknown, patch: unknown): unknown => {
  const before = JSON.stringify([current, patch])
  const merged = applyStrategicPatch(schema.node, current, patch)
  expect(JSON.stringify([current, patch])).toBe(before)
  return merged
}
const named = (...names: string[]) => names.map((name) => ({ name }))
const abc = {
  merging: [
    { name: 'a', value: '1' },
    { name: 'b', value: '2' },
    { name: 'c', value: '3' },
  ],
}

describe('objects and maps', () => {
  it.each([
    ['merge', { inner: { a: '1' } }, { inner: { b: '2' } }, { inner: { a: '1', b: '2' } }],
    ['drop what is null', { inner: { a: '1', b: '2' } }, { inner: { a: null } }, { inner: { b: '2' } }],
    ['drop a null that matches nothing', {}, { inner: { a: null, b: '2' } }, { inner: { b: '2' } }],
    ['merge in maps', { labels: { a: '1' } }, { labels: { b: '2', a: null } }, { labels: { b: '2' } }],
    ['replace with $patch: replace', { inner: { a: '1' } }, { inner: { $patch: 'replace', b: '2' } }, { inner: { b: '2' } }],
    ['empty with $patch: delete', { inner: { a: '1' } }, { inner: { $patch: 'delete' } }, { inner: {} }],
    ['merge with $patch: merge', { inner: { a: '1' } }, { inner: { $patch: 'merge', b: '2' } }, { inner: { a: '1', b: '2' } }],
    ['merge inside of open values', { open: { a: { x: 1 } } }, { open: { a: { y: 2 } } }, { open: { a: { x: 1, y: 2 } } }],
    ['are replaced where the schema says so', { replaced: { a: '1' } }, { replaced: { b: '2' } }, { replaced: { b: '2' } }],
    [
      'keep only $retainKeys',
      { inner: { a: '1', b: '2' } },
      { inner: { $retainKeys: ['b', 'c'], c: '3' } },
      { inner: { b: '2', c: '3' } },
    ],
    ['are replaced by a value of another type', { inner: { a: '1' } }, { inner: 'x' }, { inner: 'x' }],
    ['take unknown fields along', {}, { nosuch: { a: 1 } }, { nosuch: { a: 1 } }],
  ])('%s', (_title, current, patch, expected) => expect(merge(current, patch)).toEqual(expected))
})

describe('lists of objects', () => {
  it.each([
    [
      'merge by key',
      abc,
      { merging: [{ name: 'b', other: 'x' }] },
      [
        { name: 'a', value: '1' },
        { name: 'b', value: '2', other: 'x' },
        { name: 'c', value: '3' },
      ],
    ],
    [
      'put new elements first where no order is given, as Kubernetes does',
      abc,
      { merging: [{ name: 'd' }] },
      [{ name: 'd' }, ...abc.merging],
    ],
    [
      'drop elements with $patch: delete',
      abc,
      { merging: [{ name: 'b', $patch: 'delete' }] },
      [
        { name: 'a', value: '1' },
        { name: 'c', value: '3' },
      ],
    ],
    ['ignore a delete that matches nothing', abc, { merging: [{ name: 'x', $patch: 'delete' }] }, abc.merging],
    ['are replaced with $patch: replace', abc, { merging: [{ $patch: 'replace' }, { name: 'z' }] }, named('z')],
    ['are emptied with $patch: replace alone', abc, { merging: [{ $patch: 'replace' }] }, []],
    [
      'start without directives',
      {},
      {
        merging: [
          { name: 'a', value: null },
          { name: 'b', $patch: 'delete' },
        ],
      },
      named('a'),
    ],
    [
      'take an order',
      abc,
      { '$setElementOrder/merging': named('c', 'a', 'b') },
      [abc.merging[2], abc.merging[0], abc.merging[1]],
    ],
    [
      'take an order, a change and a deletion together',
      abc,
      {
        '$setElementOrder/merging': named('c', 'd', 'a'),
        merging: [
          { name: 'd', value: '4' },
          { name: 'a', value: '9' },
          { name: 'b', $patch: 'delete' },
        ],
      },
      [
        { name: 'c', value: '3' },
        { name: 'd', value: '4' },
        { name: 'a', value: '9' },
      ],
    ],
    [
      'keep elements that only the server knows where they stood',
      { merging: named('s1', 'a', 's2', 'b', 's3') },
      { '$setElementOrder/merging': named('b', 'a'), merging: [{ name: 'b', value: 'x' }] },
      [...named('s1', 's2'), { name: 'b', value: 'x' }, ...named('a', 's3')],
    ],
    ['start in the given order', {}, { '$setElementOrder/merging': named('b', 'a'), merging: named('b', 'a') }, named('b', 'a')],
  ])('%s', (_title, current, patch, expected) =>
    expect((merge(current, patch) as { merging: unknown }).merging).toEqual(expected),
  )

  it('are replaced whole where they are atomic', () => {
    expect(merge({ atomic: named('a', 'b') }, { atomic: named('c') })).toEqual({ atomic: named('c') })
  })

  it('go with null', () => expect(merge(abc, { merging: null })).toEqual({}))
})

describe('lists of scalars', () => {
  it.each([
    ['merge as a set', { set: ['a', 'b'] }, { set: ['c', 'a'] }, { set: ['c', 'a', 'b'] }],
    ['are replaced where they are atomic', { plain: ['a', 'b'] }, { plain: ['c'] }, { plain: ['c'] }],
    ['lose values', { set: ['a', 'b', 'c'] }, { '$deleteFromPrimitiveList/set': ['b', 'x'] }, { set: ['a', 'c'] }],
    ['ignore a deletion where there is no list', {}, { '$deleteFromPrimitiveList/set': ['b'] }, {}],
    [
      'take an order',
      { set: ['a', 'b', 'c'] },
      { '$setElementOrder/set': ['c', 'd', 'a'], set: ['d'] },
      { set: ['b', 'c', 'd', 'a'] },
    ],
    [
      'lose and take at once',
      { set: ['a', 'b'] },
      { '$deleteFromPrimitiveList/set': ['a'], '$setElementOrder/set': ['c', 'b'], set: ['c'] },
      { set: ['c', 'b'] },
    ],
  ])('%s', (_title, current, patch, expected) => expect(merge(current, patch)).toEqual(expected))
})

describe('refused with 400', () => {
  it.each([
    ['no object', [], 'must be a JSON object'],
    ['an unknown $patch', { inner: { $patch: 'frob' } }, 'unknown patch type'],
    ['an unknown $patch of an element', { merging: [{ name: 'a', $patch: 'merge' }] }, 'unknown patch type'],
    ['an element without its merge key', { merging: [{ value: '1' }] }, 'does not contain declared merge key: name'],
    ['an element that is no object', { merging: ['a'] }, 'must be an object'],
    ['$retainKeys that is no list', { inner: { $retainKeys: 'a' } }, 'must be a list of field names'],
    [
      '$retainKeys without a field of the patch',
      { inner: { $retainKeys: ['a'], b: '1' } },
      'is in the patch but not in the list',
    ],
    ['an order that is no list', { '$setElementOrder/merging': {} }, 'must be a list'],
    [
      'an order that the list contradicts',
      { '$setElementOrder/merging': named('a', 'b'), merging: named('b', 'a') },
      "doesn't match",
    ],
    ['an order without an element of the list', { '$setElementOrder/merging': named('a'), merging: named('b') }, "doesn't match"],
    ['deletions that are no list', { '$deleteFromPrimitiveList/set': 'a' }, 'must be a list'],
    ['objects in a set', { set: [{ a: 1 }] }, 'without merge key'],
  ])('%s', (_title, patch, message) => {
    const current = { ...abc, inner: { a: '1' }, set: ['a'] }
    expect(() => merge(current, patch)).toThrow(expect.objectContaining({ code: 400, reason: 'BadRequest' }))
    expect(() => merge(current, patch)).toThrow(message)
  })
})

describe('patches that kubectl sends', () => {
  it('apply: a changed port of a Service', () => {
    const ports = [
      { name: 'http', port: 80, protocol: 'TCP', targetPort: 80, nodePort: 30080 },
      { name: 'https', port: 443, protocol: 'TCP', targetPort: 443 },
    ]
    const current = { metadata: { name: 'web', annotations: { x: 'y' } }, spec: { clusterIP: '10.0.0.1', ports } }
    const patch = {
      metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
      spec: { '$setElementOrder/ports': [{ port: 80 }, { port: 443 }], ports: [{ port: 80, targetPort: 8080 }] },
    }
    expect(applyPatch({ type: 'strategic', schema: serviceKind.schema, current, patch })).toEqual({
      metadata: { name: 'web', annotations: { x: 'y', 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
      spec: { clusterIP: '10.0.0.1', ports: [{ ...ports[0], targetPort: 8080 }, ports[1]] },
    })
  })

  it('a change of one of two ports with the same number goes to the one of its protocol', () => {
    const ports = [
      { port: 53, protocol: 'TCP', nodePort: 1 },
      { port: 53, protocol: 'UDP', nodePort: 2 },
    ]
    const change = { spec: { ports: [{ port: 53, protocol: 'UDP', nodePort: 3 }] } }
    const removal = { spec: { ports: [{ port: 53, protocol: 'UDP', $patch: 'delete' }] } }
    const patched = (patch: unknown) =>
      applyPatch({ type: 'strategic', schema: serviceKind.schema, current: { spec: { ports } }, patch })
    expect(patched(change)).toEqual({ spec: { ports: [ports[0], { port: 53, protocol: 'UDP', nodePort: 3 }] } })
    expect(patched(removal)).toEqual({ spec: { ports: [ports[0]] } })
  })

  it('set image: a container and its environment', () => {
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]
    const current = {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'side', image: 's' },
              { name: 'web', image: 'web:1', env },
            ],
          },
        },
      },
    }
    const patch = {
      spec: { template: { spec: { containers: [{ name: 'web', image: 'web:2', env: [{ name: 'B', $patch: 'delete' }] }] } } },
    }
    const patched = applyPatch({ type: 'strategic', schema: deploymentKind.schema, current, patch })
    expect(patched).toEqual({
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'side', image: 's' },
              { name: 'web', image: 'web:2', env: [env[0]] },
            ],
          },
        },
      },
    })
  })

  it('apply: another strategy of a Deployment with $retainKeys', () => {
    const current = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }
    expect(applyPatch({ type: 'strategic', schema: deploymentKind.schema, current, patch })).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    })
  })

  it('a finalizer', () => {
    const patch = { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], '$setElementOrder/finalizers': ['b'] } }
    const current = { metadata: { finalizers: ['a', 'b'] } }
    expect(applyPatch({ type: 'strategic', schema: serviceKind.schema, current, patch })).toEqual({
      metadata: { finalizers: ['b'] },
    })
  })
})

describe('hostile patches', () => {
  it('keep __proto__ as plain data', () => {
    const patch: unknown = JSON.parse(
      '{"labels": {"__proto__": "x"}, "__proto__": {"y": 1}, "open": {"constructor": {"prototype": {"z": 1}}}}',
    )
    const merged = merge({ labels: {}, open: {} }, patch) as { labels: object }
    expect(JSON.stringify(merged.labels)).toBe('{"__proto__":"x"}')
    expect(({} as Record<string, unknown>)['y']).toBeUndefined()
    expect(({} as Record<string, unknown>)['z']).toBeUndefined()
  })

  it('are merged in time linear in their size', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `n${index}`)
    const current = { merging: named(...names), set: names }
    const reversed = [...names].reverse()
    const patch = { '$setElementOrder/merging': named(...reversed), merging: named(...reversed), set: reversed }
    expect(merge(current, patch)).toEqual({ merging: named(...reversed), set: reversed })
  })

  it('never fail in another way than with an ApiError', () => {
    const key = fc.constantFrom(
      'merging',
      'set',
      'inner',
      'labels',
      'open',
      '$patch',
      '$retainKeys',
      '$setElementOrder/merging',
      '$deleteFromPrimitiveList/set',
      '$setElementOrder/set',
      'name',
    )
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, 'a', 'b', 'delete', 'replace', 1),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(key, tie('any'), { maxKeys: 4 }),
      ),
    })).any
    fc.assert(
      fc.property(value, value, (current, patch) => {
        try {
          merge(current, patch)
        } catch (error) {
          expect(error).toMatchObject({ code: 400 })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

it('makes one object of another with the two-way difference, whatever they are', () => {
  const element = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.constantFrom('1', '2') })
  const elements = fc.uniqueArray(element, { selector: (each) => each.name })
  fc.assert(
    fc.property(elements, elements, (from, to) => {
      const gone = from.filter((old) => to.every((each) => each.name !== old.name))
      const patch = {
        '$setElementOrder/merging': to.map(({ name }) => ({ name })),
        merging: [...to, ...gone.map(({ name }) => ({ name, $patch: 'delete' }))],
      }
      expect(merge({ merging: from }, patch)).toEqual({ merging: to })
    }),
  )
})
