import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffTables, LiveTable } from './delta.ts'
import { emptyTable, type RouteTable } from './route-table.ts'

const anyTable: fc.Arbitrary<RouteTable> = fc
  .record({
    hosts: fc.dictionary(fc.constantFrom('a.b', '*.b', '', '__proto__'), fc.constantFrom('x', 'y')),
    backends: fc.dictionary(fc.constantFrom('x', 'y'), fc.array(fc.integer({ min: 1, max: 3 }))),
    fallback: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
  })
  .map(({ hosts, backends, fallback }) => ({
    ...emptyTable,
    hosts: new Map(Object.entries(hosts).map(([name, backend]) => [name, { paths: [], fallback: { backend, labels: {} } }])),
    backends: new Map(
      Object.entries(backends).map(([id, ports]) => [id, { endpoints: ports.map((port) => ({ address: '10.0.0.1', port })) }]),
    ),
    ...(fallback === undefined ? {} : { fallback: { backend: fallback, labels: {} } }),
  }))

describe('table deltas', () => {
  it('make the next table of the previous', () => {
    fc.assert(
      fc.property(anyTable, anyTable, (previous, next) => {
        const live = new LiveTable()
        live.apply(diffTables(emptyTable, previous) ?? {})
        live.apply(diffTables(previous, next) ?? {})
        expect(diffTables(live, next)).toBeUndefined()
        expect([live.hosts, live.backends, live.fallback]).toEqual([next.hosts, next.backends, next.fallback])
      }),
    )
  })

  it('name only what changed', () => {
    const backend = (port: number) => ({ endpoints: [{ address: '10.0.0.1', port }] })
    const backends = new Map(Array.from({ length: 1_000 }, (_, i) => [`b${i}`, backend(80)]))
    const next = new Map(backends).set('b7', backend(81))
    const delta = diffTables({ ...emptyTable, backends }, { ...emptyTable, backends: next })
    expect(delta).toEqual({ backends: new Map([['b7', backend(81)]]) })
  })
})
