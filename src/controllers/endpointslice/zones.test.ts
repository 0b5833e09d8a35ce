import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Node } from '../../api/index.ts'
import { allocateZones, type ZonedEndpoint, type ZoneShares, zoneShares } from './zones.ts'

const node = (
  name: string,
  { zone, cpu, ready = true, labels = {} }: { zone?: string; cpu?: string; ready?: boolean; labels?: Record<string, string> },
): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { ...labels, ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }) } },
  spec: {},
  status: {
    ...(cpu === undefined ? {} : { allocatable: { cpu } }),
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})

describe('shares of zones', () => {
  it('follow allocatable processors of ready nodes that are no control plane', () => {
    const nodes = [
      node('a1', { zone: 'a', cpu: '2' }),
      node('a2', { zone: 'a', cpu: '4000m' }),
      node('b1', { zone: 'b', cpu: '2' }),
      node('b2', { zone: 'b', cpu: '64', ready: false }),
      node('c', { cpu: '8', labels: { 'node-role.kubernetes.io/control-plane': '' } }),
    ]
    expect(zoneShares(nodes)).toEqual({
      kind: 'shares',
      byZone: new Map([
        ['a', 0.75],
        ['b', 0.25],
      ]),
    })
  })
  it.each([
    ['a node without a zone', [node('a', { zone: 'a', cpu: '1' }), node('b', { cpu: '1' })], 'Node b has no zone label'],
    ['a node without cpu', [node('a', { zone: 'a', cpu: '1' }), node('b', { zone: 'b' })], 'Node b tells no allocatable cpu'],
    ['one zone', [node('a', { zone: 'a', cpu: '1' })], 'ready nodes are in fewer than two zones'],
    ['no node', [], 'ready nodes are in fewer than two zones'],
  ])('are unknown with %s', (_, nodes, why) => expect(zoneShares(nodes)).toEqual({ kind: 'unknown', why }))
})

const shares = (byZone: Readonly<Record<string, number>>): ZoneShares => ({
  kind: 'shares',
  byZone: new Map(Object.entries(byZone)),
})
const endpoints = (text: string): readonly ZonedEndpoint[] =>
  [...text].map((zone, at) => ({
    id: `${String(at).padStart(2, '0')}${zone}`,
    zone: zone === '-' ? undefined : zone,
    before: undefined,
  }))
const hintsOf = (text: string, byZone: Readonly<Record<string, number>>): string => {
  const allocation = allocateZones(endpoints(text), shares(byZone))
  return allocation.kind === 'refused'
    ? allocation.why
    : endpoints(text)
        .map(({ id }) => allocation.byId.get(id))
        .join('')
}

describe('endpoints shared out to zones', () => {
  const thirds = { a: 1 / 3, b: 1 / 3, c: 1 / 3 }
  it.each([
    ['balanced ones stay at home', 'aabbcc', thirds, 'aabbcc'],
    ['a little imbalance moves nothing', 'aaabbbcccc', { a: 1 / 3, b: 1 / 3, c: 1 / 3 }, 'aaabbbcccc'],
    ['an empty zone gets from the fullest', 'aaaabb', thirds, 'aaccbb'],
    ['a zone without processors gives all away', 'aabbxx', { a: 0.5, b: 0.5 }, 'aabbab'],
  ])('%s', (_, text, byZone, wanted) => expect(hintsOf(text, byZone)).toBe(wanted))
  it.each([
    ['fewer endpoints than zones', 'ab', thirds, '2 ready endpoints are fewer than 3 zones'],
    ['an endpoint without a zone', 'ab-c', thirds, 'endpoint 02- has no zone'],
    [
      'a zone that would be overloaded',
      'ab',
      { a: 0.9, b: 0.1 },
      'with 2 ready endpoints a zone would be overloaded by more than 20 percent',
    ],
  ])('refused with %s', (_, text, byZone, why) => expect(hintsOf(text, byZone)).toBe(why))

  it('keep every zone at its least, keep all endpoints, and stay where they are the next time', () => {
    const zones = ['a', 'b', 'c', 'd']
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 }),
        fc.array(fc.tuple(fc.constantFrom(...zones), fc.option(fc.constantFrom(...zones), { nil: undefined })), {
          maxLength: 40,
        }),
        (weights, drawn) => {
          const total = weights.reduce((sum, each) => sum + each, 0)
          const byZone = new Map(weights.map((weight, at) => [zones[at] ?? '', weight / total]))
          const all = drawn.map(([zone, before], at) => ({ id: `e${at}`, zone, before }))
          const first = allocateZones(all, { kind: 'shares', byZone })
          if (first.kind === 'refused') return
          expect(first.byId.size).toBe(all.length)
          for (const [zone, share] of byZone) {
            const count = [...first.byId.values()].filter((each) => each === zone).length
            expect(count).toBeGreaterThanOrEqual(Math.ceil((share * all.length) / 1.2))
          }
          const again = allocateZones(
            all.map((each) => ({ ...each, before: first.byId.get(each.id) })),
            { kind: 'shares', byZone },
          )
          expect(again).toEqual(first)
        },
      ),
    )
  })
})
