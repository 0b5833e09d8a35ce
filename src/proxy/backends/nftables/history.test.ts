import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IPFamily } from '../../../ip/index.ts'
import { type FakeNft, fakeNft } from '../../../kernel/nft/testing/index.ts'
import { decide, type Forwarding, type NodeView, type Packet, serviceForwarding } from '../../../model/index.ts'
import { draining, endpoint, port, ready, service, slice, unready, vips } from '../../../model/testing/index.ts'
import { createNftablesBackend } from './index.ts'
import { sendThrough } from './testing/index.ts'

/** The same small world in both families. */
const WORLDS = {
  IPv4: {
    of: (last: number, net: string) => `${net === 'pod' ? '10.1.1' : net === 'svc' ? '10.96.0' : '203.0.113'}.${last}`,
    pods: '10.1.1.0/24',
    range: '10.1.1.0/28',
    far: '203.0.113.9',
  },
  IPv6: {
    of: (last: number, net: string) => `fd00:${net === 'pod' ? '1' : net === 'svc' ? '96' : '2'}::${last.toString(16)}`,
    pods: 'fd00:1::/64',
    range: 'fd00:1::/124',
    far: 'fd00:2::9',
  },
} as const

const nodeOf = (family: IPFamily, hasPods: boolean, masqueradeAll: boolean): NodeView => {
  const { of, pods } = WORLDS[family]
  return {
    name: 'n1',
    zone: 'a',
    addresses: [of(2, 'out'), of(1, 'out')],
    podCIDRs: hasPods ? [pods] : [],
    nodePortAddresses: [of(1, 'out')],
    masqueradeAll,
  }
}

interface Drawn {
  readonly index: number
  readonly isAffine: boolean
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  readonly filter: 'none' | 'pods' | 'far' | 'both'
  readonly protocols: readonly ('TCP' | 'UDP' | 'SCTP')[]
  readonly pods: readonly { readonly last: number; readonly nodeName: string; readonly state: typeof ready }[]
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  index: fc.integer({ min: 0, max: 2 }),
  isAffine: fc.boolean(),
  internalLocal: fc.boolean(),
  externalLocal: fc.boolean(),
  filter: fc.constantFrom('none', 'pods', 'far', 'both'),
  protocols: fc.uniqueArray(fc.constantFrom('TCP', 'UDP', 'SCTP'), { minLength: 1 }),
  pods: fc.uniqueArray(
    fc.record({
      last: fc.integer({ min: 1, max: 6 }),
      nodeName: fc.constantFrom('n1', 'n2'),
      state: fc.constantFrom(ready, unready, draining),
    }),
    { selector: ({ last }) => last, maxLength: 6 },
  ),
})

const forwardingOf = (family: IPFamily, node: NodeView, { index, pods, protocols, ...rest }: Drawn): Forwarding => {
  const { of, range, far } = WORLDS[family]
  const ranges = {
    none: [],
    pods: [range],
    far: [far.includes(':') ? `${far}/128` : `${far}/32`],
    both: [range, far.includes(':') ? '::/0' : '0.0.0.0/0'],
  }[rest.filter]
  const clusterIP = of(10 + index, 'svc')
  const object = service(
    `s${index}`,
    {
      type: 'LoadBalancer',
      clusterIP,
      clusterIPs: [clusterIP],
      externalIPs: [of(30 + index, 'out')],
      loadBalancerSourceRanges: ranges,
      sessionAffinity: rest.isAffine ? 'ClientIP' : 'None',
      internalTrafficPolicy: rest.internalLocal ? 'Local' : 'Cluster',
      externalTrafficPolicy: rest.externalLocal ? 'Local' : 'Cluster',
      ports: protocols.map((protocol, at) =>
        port(80, { name: protocol.toLowerCase(), protocol, nodePort: 30_000 + index * 10 + at }),
      ),
    },
    { status: vips(of(50 + index, 'out')) },
  )
  const endpoints = pods.map(({ last, nodeName, state }) => endpoint(of(last, 'pod'), { nodeName, ...state }))
  const ports = protocols.map((protocol) => ({ port: 8080, protocol, name: protocol.toLowerCase() }))
  const meaning = serviceForwarding(
    { service: object, slices: [slice(`s${index}`, endpoints, { addressType: family, ports })], node },
    family,
  )
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

const packetsTo = (family: IPFamily, node: NodeView, forwarding: Forwarding): readonly Packet[] => {
  const { of, far } = WORLDS[family]
  const podClass = node.podCIDRs.length > 0 ? 'pod' : 'outside'
  const sources = [
    { class: podClass, address: of(1, 'pod') },
    { class: podClass, address: of(99, 'pod') },
    { class: 'node', address: of(1, 'out') },
    { class: 'outside', address: far },
  ] as const
  const places = forwarding.ports.flatMap(({ protocol, frontends }) =>
    frontends.map((frontend) => ({ protocol, address: frontend.address ?? of(1, 'out'), port: frontend.port })),
  )
  const unknown = { protocol: 'TCP' as const, address: forwarding.clusterIP, port: 99 }
  return [...places, unknown].flatMap(({ protocol, ...destination }) =>
    sources.map((source) => ({ source, destination, protocol })),
  )
}

/** Compares where packets may go with the model; without affinity also that every candidate is reached. */
const compare = (
  world: { nft: FakeNft; roll: { value: number } },
  forwarding: Forwarding,
  family: IPFamily,
  node: NodeView,
): void => {
  for (const packet of packetsTo(family, node, forwarding)) {
    const verdict = decide(forwarding, packet, node)
    const count = verdict.kind === 'dnat' ? verdict.candidates.length : 1
    const seen = new Set<string>()
    for (let turn = 0; turn < count; turn++) {
      world.roll.value = (turn + 0.5) / count
      const outcome = sendThrough(world.nft, packet, node)
      seen.add(outcome.kind === 'reached' ? `${outcome.endpoint} ${outcome.source !== packet.source.address}` : outcome.kind)
    }
    const wanted = new Set(
      verdict.kind === 'dnat'
        ? verdict.candidates.map(
            ({ address, port: number, masquerade }) => `${address}:${number} ${masquerade && address !== ''}`,
          )
        : [verdict.kind === 'drop' ? 'dropped' : 'refused'],
    )
    const isAffine = verdict.kind === 'dnat' && verdict.matched.port.affinityTimeoutSeconds !== undefined
    if (isAffine) expect([...wanted], JSON.stringify(packet)).toEqual(expect.arrayContaining([...seen]))
    if (isAffine) expect(seen.size).toBe(1)
    else expect(seen, JSON.stringify(packet)).toEqual(wanted)
  }
}

type Step =
  | { readonly kind: 'set'; readonly drawn: Drawn }
  | { readonly kind: 'delete'; readonly index: number }
  | { readonly kind: 'fail' }
  | { readonly kind: 'flush' }
  | { readonly kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: drawn.map((each) => ({ kind: 'set' as const, drawn: each })) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }).map((index) => ({ kind: 'delete' as const, index })) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'fail' as const }, { kind: 'flush' as const }, { kind: 'restart' as const }) },
)

const elementsOf = async (nft: FakeNft, family: IPFamily) =>
  (await nft.readTable({ family: family === 'IPv4' ? 'ip' : 'ip6', name: 'fairway' }))?.elements ?? []

describe.each(['IPv4', 'IPv6'] as const)('nftables after any history, %s', (family) => {
  it('does with every packet what the model says, and holds what a fresh full load holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        fc.boolean(),
        async (steps, hasPods, all) => {
          const node = nodeOf(family, hasPods, all)
          const roll = { value: 0 }
          const nft = fakeNft(() => roll.value)
          const wanted = new Map<string, Forwarding>()
          let backend = createNftablesBackend({ nft, serviceCIDRs: [] })
          await backend.sync({ full: true, set: [], delete: [], node })
          for (const each of steps) {
            if (each.kind === 'restart') backend = createNftablesBackend({ nft, serviceCIDRs: [] })
            if (each.kind === 'fail') nft.failNext(new Error('nft: refused'))
            if (each.kind === 'flush') nft.flushRuleset()
            const set = each.kind === 'set' ? [forwardingOf(family, node, each.drawn)] : []
            const gone = each.kind === 'delete' ? [`${family} default/s${each.index}`] : []
            for (const key of gone) wanted.delete(key)
            for (const forwarding of set) wanted.set(forwarding.key, forwarding)
            const full = each.kind === 'restart' || each.kind === 'flush'
            const change = full ? { full, set: [...wanted.values()], delete: [], node } : { full, set, delete: gone, node }
            await untilDone(() => backend.sync(change))
            for (const forwarding of wanted.values()) compare({ nft, roll }, forwarding, family, node)
          }
          nft.failNext()
          await checkFresh(nft, [...wanted.values()], family, node)
        },
      ),
      { numRuns: 60 },
    )
  })
})

/** As the controller does; failures that no commit met so far may wait for this one. */
const untilDone = async (sync: () => Promise<void>): Promise<void> => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const isDone = await sync().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
  throw new Error('sync never succeeds')
}

/** A restarted backend finds nothing to change; a fresh load has the same elements but for the order of slots. */
const checkFresh = async (nft: FakeNft, set: readonly Forwarding[], family: IPFamily, node: NodeView): Promise<void> => {
  const before = nft.committed.length
  await createNftablesBackend({ nft, serviceCIDRs: [] }).sync({ full: true, set, delete: [], node })
  expect(nft.committed.slice(before).join('')).not.toMatch(/(add|delete) element/)
  const fresh = fakeNft()
  await createNftablesBackend({ nft: fresh, serviceCIDRs: [] }).sync({ full: true, set, delete: [], node })
  const withoutSlots = (elements: Awaited<ReturnType<typeof elementsOf>>) =>
    elements
      .map(({ set: name, key, value }) => (name === 'endpoints' || name === 'choices' ? name : `${name} ${key} ${value}`))
      .sort()
  expect(withoutSlots(await elementsOf(nft, family))).toEqual(withoutSlots(await elementsOf(fresh, family)))
}
