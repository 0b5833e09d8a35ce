import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Endpoint } from '../../api/index.ts'
import type { ConntrackEntry } from '../../kernel/conntrack/index.ts'
import type { Forwarding, NodeView, Verdict } from '../../model/index.ts'
import { draining, dying, endpoint, node, port, ready, unready } from '../../model/testing/index.ts'
import { CLIENTS, type FlowWorld, flowWorld, meaning, NODE, verdictOf } from './testing/index.ts'

const EXTERNAL = '203.0.113.9'
const VIP = '203.0.113.10'
const SERVICES = { a: '10.96.0.10', b: '10.96.0.11' } as const
type Name = keyof typeof SERVICES

interface Spec {
  readonly endpoints: readonly Endpoint[]
  readonly internal: 'Cluster' | 'Local'
  readonly external: 'Cluster' | 'Local'
  readonly protocol: 'UDP' | 'SCTP'
  readonly nodePort: number
  readonly hasExternal: boolean
  readonly ranges: readonly string[]
}

type Step =
  | {
      readonly kind: 'send'
      readonly from: keyof typeof CLIENTS
      readonly to: string
      readonly port: number
      readonly of: 'UDP' | 'SCTP' | 'TCP'
    }
  | { readonly kind: 'service'; readonly name: Name; readonly spec: Spec }
  | { readonly kind: 'failing service'; readonly name: Name; readonly spec: Spec }
  | { readonly kind: 'no service'; readonly name: Name }
  | { readonly kind: 'node'; readonly view: NodeView }
  | { readonly kind: 'fault'; readonly call: 'list' | 'remove' }
  | { readonly kind: 'restart' }

const anyEndpoint = fc
  .record({
    last: fc.integer({ min: 1, max: 4 }),
    nodeName: fc.constantFrom('n1', 'n2'),
    state: fc.constantFrom(ready, ready, unready, draining, dying),
    zone: fc.constantFrom('a', 'b'),
  })
  .map(({ last, nodeName, state, zone }) =>
    endpoint(`10.1.1.${last}`, { nodeName, ...state, hints: { forZones: [{ name: zone }] } }),
  )
const spec: fc.Arbitrary<Spec> = fc.record({
  endpoints: fc.uniqueArray(anyEndpoint, { maxLength: 4, selector: ({ addresses }) => addresses[0] }),
  internal: fc.constantFrom('Cluster', 'Local'),
  external: fc.constantFrom('Cluster', 'Local'),
  protocol: fc.constantFrom('UDP', 'UDP', 'SCTP'),
  nodePort: fc.constantFrom(30_053, 30_054),
  hasExternal: fc.boolean(),
  ranges: fc.constantFrom([], [], ['198.51.100.0/24'], ['203.0.113.0/24']),
})
const name = fc.constantFrom<Name>('a', 'b')
const kind = <K extends string>(each: K): fc.Arbitrary<K> => fc.constant(each)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('send'),
      from: fc.constantFrom('pod', 'node', 'outside'),
      to: fc.constantFrom(SERVICES.a, SERVICES.b, NODE, '192.0.2.2', EXTERNAL, VIP),
      port: fc.integer({ min: 4000, max: 4003 }),
      of: fc.constantFrom('UDP', 'UDP', 'SCTP', 'TCP'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('service'), name, spec }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('failing service'), name, spec }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('no service'), name }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind('node'),
      view: fc.constantFrom(node(), node({ podCIDRs: [] }), node({ nodePortAddresses: ['192.0.2.1', '192.0.2.2'] })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('fault'), call: fc.constantFrom('list', 'remove') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('restart') }) },
)

/** What the Services are, as an API would have them; frontends that the other one has are left out, as claims do. */
const createServices = () => {
  const specs = new Map<Name, Spec>()
  const forwarding = (each: Name, given: Spec, view: NodeView): Forwarding => {
    const other = specs.get(each === 'a' ? 'b' : 'a')
    const isTaken = other?.nodePort === given.nodePort
    const ports = (['TCP', given.protocol] as const).map((protocol) =>
      port(53, { name: protocol.toLowerCase(), protocol, ...(isTaken ? {} : { nodePort: given.nodePort }) }),
    )
    return meaning(given.endpoints, {
      name: each,
      clusterIP: SERVICES[each],
      type: 'LoadBalancer',
      internalTrafficPolicy: given.internal,
      externalTrafficPolicy: given.external,
      ...(given.hasExternal && !(other?.hasExternal ?? false) ? { externalIPs: [EXTERNAL] } : {}),
      ...(each === 'a' ? { vip: VIP, loadBalancerSourceRanges: [...given.ranges] } : {}),
      ports,
      node: view,
    })
  }
  return { specs, all: (view: NodeView) => [...specs].map(([each, given]) => forwarding(each, given, view)), forwarding }
}

const leadsTo = ({ reply }: ConntrackEntry): string => `${reply.source.address}:${reply.source.port}`
const isTranslated = ({ original, reply }: ConntrackEntry): boolean =>
  original.destination.address !== reply.source.address || original.destination.port !== reply.source.port

const isFrontend = (verdict: Verdict): boolean => 'matched' in verdict && verdict.matched !== undefined

/** New flows may take these. */
const candidates = (verdict: Verdict): readonly string[] =>
  verdict.kind === 'dnat' ? verdict.candidates.map((each) => `${each.address}:${each.port}`) : []

/** Flows may stay at these beside: they serve, and the policy does not forbid them. */
const staying = (world: FlowWorld, verdict: Verdict, entry: ConntrackEntry): readonly string[] => {
  if (!('matched' in verdict) || verdict.matched === undefined || ('reason' in verdict && verdict.reason === 'SourceNotAllowed'))
    return []
  const { port: carried, frontend } = verdict.matched
  const source = entry.original.source.address
  const isPod = source === CLIENTS.pod && world.node.podCIDRs.length > 0
  const { set } = frontend.routes[isPod ? 'pod' : source === NODE ? 'node' : 'outside']
  return carried.endpoints
    .filter(({ conditions, isLocal }) => conditions.serving && (set === 'cluster' || isLocal))
    .map((each) => `${each.address}:${each.port}`)
}

interface Leniency {
  /** Flows of which only a process that ended knew what they were. */
  readonly orphans: ReadonlySet<number>
  /** Whether such a flow may lead on at a frontend that nobody serves: only a sweep looks there. */
  readonly unlessSwept: boolean
}

const check = (world: FlowWorld, before: readonly ConntrackEntry[], { orphans, unlessSwept }: Leniency): void => {
  const judged = (entry: ConntrackEntry) => {
    const packet = { protocol: entry.protocol, ...entry.original }
    const verdict = verdictOf(world.carried.values(), packet, world.node)
    return { verdict, mayStay: [...candidates(verdict), ...staying(world, verdict, entry)] }
  }
  const left = new Set(world.kernel.entries.map(({ id }) => id))
  for (const entry of before.filter(({ id }) => !left.has(id))) {
    expect({ removed: entry, protocol: entry.protocol }).not.toMatchObject({ protocol: 'TCP' })
    expect(judged(entry).mayStay).not.toContain(leadsTo(entry))
  }
  for (const entry of world.kernel.entries) {
    if (entry.protocol === 'TCP') continue
    const { verdict, mayStay } = judged(entry)
    if (orphans.has(entry.id) && (!isFrontend(verdict) || (unlessSwept && verdict.kind !== 'dnat'))) continue
    if (verdict.kind === 'dnat' || isTranslated(entry))
      expect(mayStay, JSON.stringify({ entry, verdict: verdict.kind })).toContain(leadsTo(entry))
  }
}

const run = async (steps: readonly Step[]): Promise<void> => {
  const world = flowWorld()
  const services = createServices()
  /** The last sync or look failed: flows may be wrong until the next one. */
  let broken = false
  let orphans: ReadonlySet<number> = new Set()
  await world.carry([], { full: true })
  const settle = async (act: () => ReturnType<FlowWorld['carry']>, unlessSwept = true): Promise<void> => {
    const before = world.kernel.entries
    const { failed } = await act()
    broken = failed !== undefined
    if (!broken) check(world, before, { orphans, unlessSwept })
  }
  for (const each of steps) {
    switch (each.kind) {
      case 'send':
        world.send(each.from, each.to, { port: each.port, protocol: each.of })
        break
      case 'service':
        services.specs.set(each.name, each.spec)
        await settle(() => world.carry(services.all(world.node)))
        break
      case 'failing service':
        broken = true
        world.failToCarry([services.forwarding(each.name, each.spec, world.node)], () => {
          for (const from of ['pod', 'outside'] as const)
            world.send(from, SERVICES[each.name], { port: 4000, protocol: each.spec.protocol })
        })
        break
      case 'no service': {
        services.specs.delete(each.name)
        await settle(() => world.carry(services.all(world.node), { gone: [`IPv4 default/${each.name}`] }))
        break
      }
      case 'node':
        await settle(() => world.carry(services.all(each.view), { node: each.view }))
        break
      case 'fault':
        world.kernel.failNext(each.call, new Error('no permission'))
        break
      case 'restart':
        if (broken) orphans = new Set(world.kernel.entries.map(({ id }) => id))
        await settle(() => world.restart(services.all(world.node)))
        break
      default:
        each satisfies never
    }
  }
  await settle(() => world.sweep(), false)
}

describe('after any history', () => {
  it('no flow of UDP or SCTP leads where it must not, none that may stay was removed, and none of TCP was', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), run), {
      numRuns: 150,
    })
  })
})
