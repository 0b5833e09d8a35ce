import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Forwarding, serviceForwarding } from '../model/index.ts'
import { node, port, service } from '../model/testing/index.ts'
import { createClaims } from './claims.ts'
import { diff } from './diff.ts'

const make = (name: string, external: readonly string[], nodePort = 0): Forwarding => {
  const index = Number(name.slice(1))
  const object = service(name, {
    type: 'NodePort',
    clusterIP: `10.96.0.${index + 1}`,
    externalIPs: [...external],
    ports: [port(80, { nodePort })],
  })
  const meaning = serviceForwarding({ service: object, slices: [], node: node() }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

const holders = (forwardings: Iterable<Forwarding>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  for (const { key, ports } of forwardings) {
    for (const { frontends } of ports) {
      for (const { address = 'NodePort', port: number } of frontends) {
        expect(found.has(`${address} ${number}`)).toBe(false)
        found.set(`${address} ${number}`, key)
      }
    }
  }
  return found
}

describe('claims', () => {
  const step = fc.record({
    index: fc.nat(4),
    gone: fc.boolean(),
    external: fc.uniqueArray(fc.constantFrom('198.51.100.1', '198.51.100.2'), { maxLength: 2 }),
    nodePort: fc.constantFrom(0, 30_001, 30_002),
  })

  it('after any history each frontend has one holder, the oldest that asks, and every change of hands was told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const claims = createClaims()
        const asked = new Map<string, Forwarding>()
        const granted = new Map<string, Forwarding>()
        const age = (key: string): string => `2026-01-0${9 - Number(key.at(-1))}`
        for (const { index, gone, external, nodePort } of steps) {
          const forwarding = make(`s${index}`, external, nodePort)
          const { key } = forwarding
          if (gone) asked.delete(key)
          else asked.set(key, forwarding)
          const affected = claims.update(key, age(key), gone ? undefined : forwarding)
          for (const each of [key, ...affected]) {
            const wanted = asked.get(each)
            if (wanted === undefined) granted.delete(each)
            else granted.set(each, claims.grant(wanted).forwarding)
          }
        }
        const expected = new Map<string, string>()
        for (const each of [...asked.values()].sort((a, b) => (age(a.key) < age(b.key) ? -1 : 1))) {
          for (const { frontends } of each.ports) {
            for (const { address = 'NodePort', port: number } of frontends) {
              const id = `${address} ${number}`
              if (!expected.has(id)) expected.set(id, each.key)
            }
          }
        }
        expect(new Map([...holders(granted.values())].sort())).toEqual(new Map([...expected].sort()))
      }),
    )
  })

  it('says who has what was lost', () => {
    const claims = createClaims()
    const [old, young] = [make('s1', ['198.51.100.1']), make('s2', ['198.51.100.1'])]
    claims.update(young.key, '2026-02-01', young)
    expect(claims.grant(young).lost).toEqual([])
    expect([...claims.update(old.key, '2026-01-01', old)]).toEqual([young.key])
    expect(claims.grant(young).lost).toEqual([{ frontend: 'TCP 198.51.100.1 80', holder: old.key }])
    expect(claims.grant(old).forwarding).toBe(old)
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
