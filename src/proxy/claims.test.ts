import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Forwarding, serviceForwarding } from '../model/index.ts'
import { node, port, service } from '../model/testing/index.ts'
import { createClaims } from './claims.ts'
import { diff } from './diff.ts'

/** An address of the node, where NodePorts are served, that Services may ask for as their own. */
const OWN = '198.51.100.2'
const at = (createdAt: string, forwarding: Forwarding) => ({ createdAt, forwarding, nodePortAddresses: [OWN, 'fd00::1'] })

const make = (name: string, external: readonly string[], { nodePort = 0, number = 80 } = {}): Forwarding => {
  const index = Number(name.slice(1))
  const object = service(name, {
    type: 'NodePort',
    clusterIP: `10.96.0.${index + 1}`,
    externalIPs: [...external],
    ports: [port(number, { nodePort })],
  })
  const meaning = serviceForwarding({ service: object, slices: [], node: node() }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

/** Who has which place, in this order where it is asked for by several. */
const holders = (forwardings: Iterable<Forwarding>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  for (const { key, ports } of forwardings) {
    for (const { frontends } of ports) {
      for (const { address, notAt = [], port: number } of frontends) {
        const places = address === undefined ? ['NodePort', OWN].filter((each) => !notAt.includes(each)) : [address]
        for (const place of places) if (!found.has(`${place} ${number}`)) found.set(`${place} ${number}`, key)
      }
    }
  }
  return found
}

/** How many Services have a place. */
const counts = (forwardings: readonly Forwarding[]): number => forwardings.reduce((sum, each) => sum + holders([each]).size, 0)

describe('claims', () => {
  const step = fc.record({
    index: fc.nat(4),
    gone: fc.boolean(),
    external: fc.uniqueArray(fc.constantFrom('198.51.100.1', '198.51.100.2'), { maxLength: 2 }),
    nodePort: fc.constantFrom(0, 30_001, 30_002),
    number: fc.constantFrom(80, 30_001),
  })

  it('after any history each frontend has one holder, the oldest that asks, and every change of hands was told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const claims = createClaims()
        const asked = new Map<string, Forwarding>()
        const granted = new Map<string, Forwarding>()
        const age = (key: string): string => `2026-01-0${9 - Number(key.at(-1))}`
        for (const { index, gone, external, nodePort, number } of steps) {
          const forwarding = make(`s${index}`, external, { nodePort, number })
          const { key } = forwarding
          if (gone) asked.delete(key)
          else asked.set(key, forwarding)
          const affected = claims.update(key, gone ? undefined : at(age(key), forwarding))
          for (const each of [key, ...affected]) {
            const wanted = asked.get(each)
            if (wanted === undefined) granted.delete(each)
            else granted.set(each, claims.grant(wanted).forwarding)
          }
        }
        const expected = holders([...asked.values()].sort((a, b) => (age(a.key) < age(b.key) ? -1 : 1)))
        const found = holders(granted.values())
        expect(new Map([...found].sort())).toEqual(new Map([...expected].sort()))
        expect(counts([...granted.values()])).toBe(found.size)
      }),
    )
  })

  it('says who has what was lost', () => {
    const claims = createClaims()
    const [old, young] = [make('s1', ['198.51.100.1']), make('s2', ['198.51.100.1'])]
    claims.update(young.key, at('2026-02-01', young))
    expect(claims.grant(young).lost).toEqual([])
    expect([...claims.update(old.key, at('2026-01-01', old))]).toEqual([young.key])
    expect(claims.grant(young).lost).toMatchObject([{ id: 'TCP 198.51.100.1 80', holder: old.key }])
    expect(claims.grant(old).forwarding).toBe(old)
  })
})

describe('a NodePort and an external address of the node', () => {
  const external = make('s1', [OWN, '198.51.100.1'], { number: 30_001 })
  const nodePort = make('s2', [], { nodePort: 30_001 })
  const frontendsOf = (forwarding: Forwarding) =>
    forwarding.ports.flatMap(({ frontends }) => frontends.map(({ kind, address, notAt }) => [kind, address, notAt]))
  const claim = (...inOrder: readonly Forwarding[]) => {
    const claims = createClaims()
    for (const [age, each] of inOrder.entries()) claims.update(each.key, at(`2026-01-0${age + 1}`, each))
    return claims
  }

  it('leave a younger NodePort all other addresses', () => {
    const claims = claim(external, nodePort)
    expect(claims.grant(external).lost).toEqual([])
    const { forwarding, lost } = claims.grant(nodePort)
    expect(lost).toMatchObject([{ id: `TCP ${OWN} 30001`, holder: external.key }])
    expect(frontendsOf(forwarding)).toEqual([
      ['ClusterIP', '10.96.0.3', undefined],
      ['NodePort', undefined, [OWN]],
    ])
  })

  it('leave a younger Service its other frontends', () => {
    const claims = claim(nodePort, external)
    const { forwarding, lost } = claims.grant(external)
    expect(lost).toMatchObject([{ id: `TCP ${OWN} 30001`, holder: nodePort.key }])
    expect(frontendsOf(forwarding)).toEqual([
      ['ClusterIP', '10.96.0.2', undefined],
      ['ExternalIP', '198.51.100.1', undefined],
    ])
    expect(claims.grant(nodePort).forwarding).toBe(nodePort)
  })

  it('are one where they are of one Service, and told once where all of a NodePort is lost', () => {
    const both = make('s1', [OWN], { number: 30_001, nodePort: 30_001 })
    expect(claim(both).grant(both)).toEqual({ forwarding: both, lost: [] })
    expect(claim(both, nodePort).grant(nodePort).lost).toMatchObject([{ id: 'TCP NodePort/IPv4 30001', holder: both.key }])
  })
})

describe('diff', () => {
  const [one, other] = [make('s1', []), make('s1', ['198.51.100.1'])]
  const key = one.key
  const none: ReadonlySet<string> = new Set()
  it.each([
    ['nothing for what is equal', [one], [make('s1', [])], none, { set: [], delete: [] }],
    ['what changed', [one], [other], none, { set: [other], delete: [] }],
    ['what is new', [], [one], none, { set: [one], delete: [] }],
    ['what is gone', [one], [], none, { set: [], delete: [key] }],
    ['what nobody is sure of, although equal', [one], [one], new Set([key]), { set: [one], delete: [] }],
    ['what nobody is sure of, although gone', [], [], new Set([key]), { set: [], delete: [key] }],
  ])('tells %s', (_title, actual, wanted, unsure, expected) => {
    const map = (all: readonly Forwarding[]) => new Map(all.map((each) => [each.key, each]))
    expect(diff(map(actual), map(wanted), { keys: [key], unsure })).toEqual(expected)
  })
})
