import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint, Service, ServiceSpec } from '../api/index.ts'
import { decide, type Forwarding, type NodeView, type Packet, type SourceClass, serviceForwarding } from '../model/index.ts'
import { draining, endpoint, port, service, slice, vips } from '../model/testing/index.ts'
import type { Backend, Capability } from './backend.ts'

/** What a client saw. */
export type Outcome =
  | { readonly kind: 'reached'; readonly endpoint: string; readonly source: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'dropped' }

/** Addresses of one family that work where the backend is tried: in a fake any, with real sockets loopback ones, in namespaces those of the links. */
export interface AddressPlan {
  readonly clusterIP: (index: number) => string
  readonly externalIP: string
  readonly vip: string
  readonly node: NodeView
  readonly nodePort: number
  /** Pods on the node; something answers at `endpointPort` of each, TCP and UDP. */
  readonly pods: readonly string[]
  /** Pods on another node, as many; where there is none, pods of this node play them. */
  readonly awayPods?: readonly string[]
  readonly endpointPort: number
  readonly sources: Readonly<Record<SourceClass, string>>
}

export interface BackendHarness {
  readonly backend: Backend
  readonly plan: AddressPlan
  /** One connection, or one datagram with its answer. */
  send(packet: Packet): Promise<Outcome>
  close(): Promise<void>
}

export interface Skip {
  readonly test: string
  readonly reason: string
}

/** As claims share it out. */
const notAt = (forwarding: Forwarding, address: string): Forwarding => ({
  ...forwarding,
  ports: forwarding.ports.map((each) => ({
    ...each,
    frontends: each.frontends.map((frontend) => (frontend.kind === 'NodePort' ? { ...frontend, notAt: [address] } : frontend)),
  })),
})

/** What every {@link Backend} does, measured against the model: a packet may only end where `decide` lets it. */
export const backendConformance = (name: string, open: () => Promise<BackendHarness>, skips: readonly Skip[] = []): void => {
  describe(`backend conformance: ${name}`, () => {
    let harness: BackendHarness
    let stop: AbortController
    let stopped: Promise<void>
    const carried = new Map<string, Forwarding>()

    beforeEach(async () => {
      harness = await open()
      stop = new AbortController()
      stopped = (await harness.backend.start(stop.signal, () => {})).stopped
      carried.clear()
    })
    afterEach(async () => {
      stop.abort()
      await stopped
      await harness.close()
    })

    const test = (title: string, run: () => Promise<void>): void => {
      const skip = skips.find((each) => each.test === title)
      if (skip === undefined) it(title, run)
      else it.skip(`${title} (${skip.reason})`, run)
    }
    const meaning = (spec: Partial<ServiceSpec>, pods: readonly Endpoint[], rest: Partial<Service> & { name?: string } = {}) => {
      const { endpointPort, node, clusterIP } = harness.plan
      const family = clusterIP(0).includes(':') ? 'IPv6' : 'IPv4'
      const protocols = new Set((spec.ports ?? [port(80)]).map(({ protocol, name: portName = '' }) => `${protocol} ${portName}`))
      const ports = [...protocols].map((each) => {
        const [protocol, portName] = each.split(' ')
        return { port: endpointPort, protocol: protocol as 'TCP', name: portName ?? '' }
      })
      const object = service(
        rest.name ?? 'web',
        { clusterIP: clusterIP(0), clusterIPs: [spec.clusterIP ?? clusterIP(0)], ...spec },
        rest,
      )
      const slices = [slice(object.metadata.name, pods, { ports, addressType: family })]
      const result = serviceForwarding({ service: object, slices, node }, family)
      if (result.kind !== 'forwarding') throw new Error(`no forwarding: ${result.reason}`)
      return result.forwarding
    }
    const sync = async (set: readonly Forwarding[], gone: readonly string[] = []): Promise<void> => {
      const full = carried.size === 0 && gone.length === 0
      for (const key of gone) carried.delete(key)
      for (const forwarding of set) carried.set(forwarding.key, forwarding)
      await harness.backend.sync({ full, set, delete: gone, node: harness.plan.node })
    }
    const packet = (
      address: string,
      number: number,
      options: { from?: SourceClass; source?: string; protocol?: 'TCP' | 'UDP' } = {},
    ): Packet => {
      const { from = 'node', protocol = 'TCP' } = options
      return {
        source: { class: from, address: options.source ?? harness.plan.sources[from] },
        destination: { address, port: number },
        protocol,
      }
    }
    /** Sends `times` packets, checks each against the model, and gives the endpoints that were reached. */
    const probe = async (each: Packet, times = 1): Promise<readonly string[]> => {
      const reached: string[] = []
      for (let index = 0; index < times; index++) {
        const outcome = await harness.send(each)
        check(outcome, each)
        reached.push(outcome.kind === 'reached' ? outcome.endpoint : outcome.kind)
      }
      return reached
    }
    const supports = (capability: Capability): boolean => harness.backend.supports.has(capability)
    const check = (outcome: Outcome, each: Packet): void => {
      const verdicts = [...carried.values()].map((forwarding) => decide(forwarding, each, harness.plan.node))
      const verdict = verdicts.find(({ kind }) => kind !== 'none') ?? ({ kind: 'none' } as const)
      switch (verdict.kind) {
        case 'dnat': {
          const allowed = verdict.candidates.map((target) => `${target.address}:${target.port}`)
          expect(outcome.kind === 'reached' ? allowed : [outcome.kind]).toContain(
            outcome.kind === 'reached' ? outcome.endpoint : '',
          )
          const candidate = verdict.candidates.find(
            (target) => outcome.kind === 'reached' && outcome.endpoint === `${target.address}:${target.port}`,
          )
          if (supports('KeepsSource') && candidate?.masquerade === false && outcome.kind === 'reached') {
            expect(outcome.source).toBe(each.source.address)
          }
          return
        }
        case 'reject':
          expect(outcome.kind).toBe('refused')
          return
        case 'drop':
          expect(outcome.kind).toBe(supports('Drop') || each.protocol === 'UDP' ? 'dropped' : 'refused')
          return
        case 'none':
          expect(outcome.kind).not.toBe('reached')
          return
        default:
          verdict satisfies never
      }
    }
    const pod = (index: number): string => harness.plan.pods[index] ?? ''
    const here = (index: number, rest: Omit<Partial<Endpoint>, 'addresses'> = {}): Endpoint =>
      endpoint(pod(index), { nodeName: harness.plan.node.name, ...rest })
    const awayPod = (index: number): string => harness.plan.awayPods?.[index] ?? pod(index)
    const away = (index: number, rest: Omit<Partial<Endpoint>, 'addresses'> = {}): Endpoint =>
      endpoint(awayPod(index), { nodeName: 'another-node', ...rest })
    const at = (index: number): string => `${pod(index)}:${harness.plan.endpointPort}`
    const atAway = (index: number): string => `${awayPod(index)}:${harness.plan.endpointPort}`

    for (const protocol of ['TCP', 'UDP'] as const) {
      test(`carries ${protocol} from a ClusterIP to every endpoint`, async () => {
        await sync([meaning({ ports: [port(80, { protocol })] }, [here(0), away(1)])])
        const reached = await probe(packet(harness.plan.clusterIP(0), 80, { protocol }), 24)
        expect(new Set(reached)).toEqual(new Set([at(0), atAway(1)]))
      })
      test(`refuses ${protocol} to a Service without endpoints, and carries it once there is one`, async () => {
        const ports = [port(80, { protocol })]
        await sync([meaning({ ports }, [])])
        expect(await probe(packet(harness.plan.clusterIP(0), 80, { protocol }))).toEqual(['refused'])
        await sync([meaning({ ports }, [here(0)])])
        expect(await probe(packet(harness.plan.clusterIP(0), 80, { protocol }))).toEqual([at(0)])
        await sync([meaning({ ports }, [])])
        expect(await probe(packet(harness.plan.clusterIP(0), 80, { protocol }))).toEqual(['refused'])
      })
      test(`answers ${protocol} at NodePort, external address and VIP`, async () => {
        const { node, nodePort, externalIP, vip } = harness.plan
        const spec: Partial<ServiceSpec> = {
          type: 'LoadBalancer',
          externalIPs: [externalIP],
          ports: [port(80, { protocol, nodePort })],
        }
        await sync([meaning(spec, [here(0)], { status: vips(vip) })])
        const [nodeAddress = ''] = node.nodePortAddresses
        for (const [address, number] of [
          [nodeAddress, nodePort],
          [externalIP, 80],
          [vip, 80],
        ] as const) {
          expect(await probe(packet(address, number, { protocol }))).toEqual([at(0)])
        }
      })
      test(`drops ${protocol} from outside where policy Local has no endpoint here, but lets pods and the node in`, async () => {
        const { node, nodePort } = harness.plan
        const spec: Partial<ServiceSpec> = {
          type: 'NodePort',
          externalTrafficPolicy: 'Local',
          ports: [port(80, { protocol, nodePort })],
        }
        await sync([meaning(spec, [away(1)])])
        const [nodeAddress = ''] = node.nodePortAddresses
        await probe(packet(nodeAddress, nodePort, { protocol, from: 'outside' }))
        expect(await probe(packet(nodeAddress, nodePort, { protocol, from: 'pod' }))).toEqual([atAway(1)])
        expect(await probe(packet(nodeAddress, nodePort, { protocol, from: 'node' }))).toEqual([atAway(1)])
      })
      test(`keeps a client's ${protocol} at one endpoint with session affinity, on all frontends, over syncs`, async () => {
        const { nodePort, node } = harness.plan
        const spec: Partial<ServiceSpec> = {
          type: 'NodePort',
          sessionAffinity: 'ClientIP',
          ports: [port(80, { protocol, nodePort })],
        }
        await sync([meaning(spec, [here(0), here(1), here(2)])])
        const clusterIP = packet(harness.plan.clusterIP(0), 80, { protocol, from: 'outside' })
        const throughNode = packet(node.nodePortAddresses[0] ?? '', nodePort, { protocol, from: 'outside' })
        const [first = ''] = await probe(clusterIP)
        expect(new Set([...(await probe(clusterIP, 6)), ...(await probe(throughNode, 6))])).toEqual(new Set([first]))
        const kept = [0, 1, 2].filter((index) => at(index) === first || index !== [0, 1, 2].find((other) => at(other) !== first))
        await sync([
          meaning(
            spec,
            kept.map((index) => here(index)),
          ),
        ])
        expect(new Set(await probe(clusterIP, 4))).toEqual(new Set([first]))
        const others = [0, 1, 2].filter((index) => at(index) !== first)
        await sync([
          meaning(
            spec,
            others.map((index) => here(index)),
          ),
        ])
        const after = new Set(await probe(clusterIP, 4))
        expect(after.size).toBe(1)
        expect(after).not.toContain(first)
      })
    }

    test('keeps local traffic local with internalTrafficPolicy Local', async () => {
      await sync([meaning({ internalTrafficPolicy: 'Local' }, [here(0), away(1)])])
      expect(new Set(await probe(packet(harness.plan.clusterIP(0), 80, { from: 'pod' }), 8))).toEqual(new Set([at(0)]))
      await sync([meaning({ internalTrafficPolicy: 'Local' }, [away(1)])])
      await probe(packet(harness.plan.clusterIP(0), 80, { from: 'pod' }))
    })
    test('falls back to endpoints that serve while they terminate', async () => {
      await sync([meaning({}, [here(0, draining), here(1)])])
      expect(new Set(await probe(packet(harness.plan.clusterIP(0), 80), 8))).toEqual(new Set([at(1)]))
      await sync([meaning({}, [here(0, draining)])])
      expect(await probe(packet(harness.plan.clusterIP(0), 80))).toEqual([at(0)])
    })
    test('lets only allowed sources reach a VIP, and everyone the ClusterIP', async () => {
      const { vip, sources } = harness.plan
      const spec: Partial<ServiceSpec> = {
        type: 'LoadBalancer',
        loadBalancerSourceRanges: [` ${sources.pod}/${vip.includes(':') ? 128 : 32} `],
      }
      await sync([meaning(spec, [here(0)], { status: vips(vip) })])
      expect(await probe(packet(vip, 80, { from: 'pod' }))).toEqual([at(0)])
      await probe(packet(vip, 80, { from: 'outside' }))
      expect(await probe(packet(harness.plan.clusterIP(0), 80, { from: 'outside' }))).toEqual([at(0)])
    })
    test('lets a pod reach itself through its Service', async () => {
      await sync([meaning({}, [here(0)])])
      expect(await probe(packet(harness.plan.clusterIP(0), 80, { from: 'pod', source: pod(0) }))).toEqual([at(0)])
    })
    test('refuses an undefined port of a ClusterIP', async () => {
      await sync([meaning({}, [here(0)])])
      expect(await probe(packet(harness.plan.clusterIP(0), 81))).toEqual(['refused'])
    })
    test('tells the ports of a Service apart, also TCP and UDP of one number', async () => {
      const ports = [port(80, { name: 'a' }), port(81, { name: 'b' }), port(80, { name: 'c', protocol: 'UDP' })]
      await sync([meaning({ ports }, [here(0)])])
      for (const [number, protocol] of [
        [80, 'TCP'],
        [81, 'TCP'],
        [80, 'UDP'],
      ] as const) {
        expect(await probe(packet(harness.plan.clusterIP(0), number, { protocol }))).toEqual([at(0)])
      }
    })
    test('forgets a deleted Service and leaves the others alone', async () => {
      const web = meaning({}, [here(0)])
      const api = meaning({ clusterIP: harness.plan.clusterIP(1) }, [here(1)], { name: 'api' })
      await sync([web, api])
      await sync([], [web.key, 'IPv4 default/never-was', 'IPv6 default/never-was'])
      expect(await probe(packet(harness.plan.clusterIP(0), 80))).toEqual(['refused'])
      expect(await probe(packet(harness.plan.clusterIP(1), 80))).toEqual([at(1)])
    })
    test('takes a full change as everything there is', async () => {
      const web = meaning({}, [here(0)])
      const api = meaning({ clusterIP: harness.plan.clusterIP(1) }, [here(1)], { name: 'api' })
      await sync([web])
      carried.clear()
      await sync([api])
      expect(await probe(packet(harness.plan.clusterIP(0), 80))).toEqual(['refused'])
      expect(await probe(packet(harness.plan.clusterIP(1), 80))).toEqual([at(1)])
    })
    test("gives an address of the node to the Service that has it, and with its end to another's NodePort", async () => {
      const { node, nodePort, clusterIP } = harness.plan
      const [own = ''] = node.nodePortAddresses
      const first = meaning({ externalIPs: [own], ports: [port(nodePort)] }, [here(0)])
      const spec: Partial<ServiceSpec> = { type: 'NodePort', clusterIP: clusterIP(1), ports: [port(80, { nodePort })] }
      const second = meaning(spec, [here(1)], { name: 'second' })
      await sync([notAt(second, own), first])
      for (const from of ['outside', 'pod', 'node'] as const) {
        expect(await probe(packet(own, nodePort, { from }), 3)).toEqual([at(0), at(0), at(0)])
      }
      expect(await probe(packet(clusterIP(1), 80))).toEqual([at(1)])
      expect(harness.backend.exceptions().filter(({ state }) => state === 'failed')).toEqual([])
      await sync([second], [first.key])
      expect(await probe(packet(own, nodePort), 3)).toEqual([at(1), at(1), at(1)])
    })
    test('gives a frontend from one Service to another within one change', async () => {
      const web = meaning({}, [here(0)])
      await sync([web])
      await sync([meaning({}, [here(1)], { name: 'api' })], [web.key])
      expect(await probe(packet(harness.plan.clusterIP(0), 80))).toEqual([at(1)])
    })
    test('changes nothing when it is told the same again', async () => {
      const web = meaning({ sessionAffinity: 'ClientIP' }, [here(0), here(1), here(2)])
      await sync([web])
      const [first] = await probe(packet(harness.plan.clusterIP(0), 80))
      for (let round = 0; round < 4; round++) {
        await harness.backend.sync({ full: round % 2 === 0, set: [web], delete: [], node: harness.plan.node })
        expect(await probe(packet(harness.plan.clusterIP(0), 80))).toEqual([first])
      }
    })
  })
}
