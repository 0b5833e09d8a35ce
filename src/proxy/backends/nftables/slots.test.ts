import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NodeView, serviceForwarding, sourceClassifier } from '../../../model/index.ts'
import { endpoint, port, service, slice } from '../../../model/testing/index.ts'
import { ownClass } from './hairpin.ts'
import { choiceId, choiceLayout, choiceOfChain, DROP, REFUSE } from './layout.ts'
import { slotsCarried, slotsOf, targetText } from './slots.ts'

const node: NodeView = { name: 'n1', addresses: [], podCIDRs: [], nodePortAddresses: [] }
const web = (hosts: readonly number[]) => {
  const pods = hosts.map((host) => endpoint(`10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`))
  const meaning = serviceForwarding(
    { service: service('web', { ports: [port(80)] }), slices: [slice('web', pods)], node },
    'IPv4',
  )
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const NOTHING = slotsCarried(undefined, [])

describe('slots', () => {
  it('hold every endpoint once after any history, and move no more than leave or come', () => {
    const hosts = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 12 })
    fc.assert(
      fc.property(fc.array(hosts, { minLength: 1, maxLength: 8 }), (history) => {
        let forwarding = web([])
        let slots = slotsOf(forwarding, NOTHING)
        for (const each of history) {
          const next = web(each)
          const after = slotsOf(next, slotsCarried(forwarding, slots))
          const texts = (some: typeof slots) => some[0]?.cluster.map(targetText) ?? []
          const wanted = next.ports[0]?.cluster.map(targetText) ?? []
          expect([...texts(after)].sort()).toEqual([...wanted].sort())
          const moved = texts(after).filter((text, slot) => texts(slots)[slot] !== text && texts(slots).includes(text)).length
          const left = texts(slots).filter((text) => !texts(after).includes(text)).length
          expect(moved).toBeLessThanOrEqual(left)
          forwarding = next
          slots = after
        }
      }),
      { numRuns: 200 },
    )
  })
  it('take what the kernel has, also where slots are missing or hold what is gone', () => {
    const before = (texts: Readonly<Record<number, string>>) => () => (slot: number) => texts[slot]
    const order = (texts: Readonly<Record<number, string>>) =>
      slotsOf(web([1, 2, 3]), before(texts))[0]?.cluster.map(({ address }) => address)
    expect(order({})).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    expect(order({ 1: '10.0.0.3 . 8080' })).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.2'])
    expect(order({ 0: '10.9.9.9 . 8080', 1: '10.0.0.1 . 8080', 7: '10.0.0.2 . 8080' })).toEqual([
      '10.0.0.2',
      '10.0.0.1',
      '10.0.0.3',
    ])
  })
  it('cost no memory where nothing moves', () => {
    const forwarding = web([1, 2, 3])
    expect(slotsOf(forwarding, NOTHING)[0]?.cluster).toBe(forwarding.ports[0]?.cluster)
  })
  it('are no more than their numbers', () => {
    const forwarding = web(Array.from({ length: 33_000 }, (_, host) => host))
    expect(slotsOf(forwarding, NOTHING)[0]?.cluster).toHaveLength(32_767)
  })
})

describe('choices', () => {
  it('are numbers that tell set, count and timeout apart, and lead back to their chain', () => {
    const choice = fc.record({
      set: fc.constantFrom('cluster' as const, 'local' as const),
      count: fc.integer({ min: 1, max: 0x7fff }),
      timeoutSeconds: fc.option(fc.integer({ min: 1, max: 86_400 }), { nil: undefined }),
    })
    const ids = new Map<string, string>()
    fc.assert(
      fc.property(choice, (each) => {
        const id = choiceId(each)
        expect(id).toMatch(/^[0-9a-f]{1,4}:[0-9a-f]{1,4}$/)
        expect([REFUSE, DROP]).not.toContain(id)
        const name = choiceLayout('IPv4', id).at(-1)?.name ?? ''
        expect(choiceOfChain(name)).toBe(id)
        const [kind, set, count, timeout] = name.split('-')
        expect([kind, set, count]).toEqual([each.timeoutSeconds === undefined ? 'pick' : 'sticky', each.set, String(each.count)])
        // Never shorter than asked, and by a second longer only for those of hours.
        const seconds = each.timeoutSeconds ?? 0
        expect(Number(timeout ?? 0) - seconds).toBeGreaterThanOrEqual(0)
        expect(Number(timeout ?? 0) - seconds).toBeLessThanOrEqual(seconds > 32_768 ? 1 : 0)
        expect(ids.get(id) ?? name).toBe(name)
        ids.set(id, name)
      }),
      { numRuns: 1_000 },
    )
  })
  it('of refusals need no chain, and other chains are none', () => {
    expect([REFUSE, DROP].map((id) => choiceLayout('IPv4', id))).toEqual([[], []])
    expect(['refuse', 'stick-30', 'pick-cluster', 'pick-cluster-2-30', 'sticky-local-2'].map(choiceOfChain)).toEqual(
      Array(5).fill(undefined),
    )
  })
})

describe('the class of an endpoint’s own packets', () => {
  it('is what the model says of its address', () => {
    const last = fc.nat(255)
    const address = fc
      .tuple(fc.constantFrom('10.1.1', '10.1.2', '127.0.0', '192.0.2', '255.255.255'), last)
      .map((parts) => parts.join('.'))
    const ranges = fc.uniqueArray(
      fc.constantFrom('10.1.1.0/24', '10.1.0.0/16', '0.0.0.0/0', '10.1.2.128/25', '192.0.2.7/32', 'fd00::/8'),
    )
    fc.assert(
      fc.property(ranges, fc.array(address), address, (podCIDRs, addresses, each) => {
        const view = { ...node, podCIDRs, addresses }
        expect(ownClass(view, 'IPv4')(each)).toBe(sourceClassifier(view)(each))
      }),
      { numRuns: 500 },
    )
  })
})
