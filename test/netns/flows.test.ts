import { rm } from 'node:fs/promises'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../src/base/index.ts'
import type { Exec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { type Conntrack, createConntrackTool, createNetlinkConntrack, type FlowEnd } from '../../src/kernel/conntrack/index.ts'
import { createIptables, type Flavour } from '../../src/kernel/iptables/index.ts'
import { createNft } from '../../src/kernel/nft/index.ts'
import { type Forwarding, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import type { AddressPlan } from '../../src/proxy/backend.conformance.ts'
import { createIptablesBackend } from '../../src/proxy/backends/iptables/index.ts'
import { createFlowCleaner, createFlowMetrics, type FlowCleaner } from '../../src/proxy/conntrack/index.ts'
import { type Backend, createNftablesBackend } from '../../src/proxy/index.ts'
import { type FlowAgent, startFlowAgent } from './flow-agents.ts'
import type { Answer } from './flow-clients.ts'
import { canOpenLab, type Lab, openLab } from './lab.ts'
import { LOCK, SERVICE_CIDRS, withOwnLock } from './services.ts'

const libc = await loadLibc()
const SERVER_PORT = 9_090
const NODE_PORT = 30_053
let lab: Lab
let client: FlowAgent
const servers: FlowAgent[] = []

/** Two servers on the node; they go on answering when they are no endpoints any more, so that a stale flow is seen and not guessed. */
const openWorld = async (): Promise<void> => {
  lab = await openLab('fl')
  client = await startFlowAgent(lab.outside)
  const [plan4, plan6] = [lab.plan('IPv4'), lab.plan('IPv6')]
  for (const index of [0, 1]) {
    const server = await startFlowAgent(lab.agentAt(plan4.pods[index] ?? '').namespace)
    servers.push(server)
    for (const plan of [plan4, plan6])
      await server.ask({ op: 'serve', at: { address: plan.pods[index] ?? '', port: SERVER_PORT } })
  }
}

const conntrack = (): Conntrack =>
  'missing' in libc ? createConntrackTool(lab.node.exec) : createNetlinkConntrack({ libc, namespace: lab.node.path })

/** A proxy as far as flows see it: rules, then the look at flows. */
interface Proxy {
  readonly backend: Backend
  readonly cleaner: FlowCleaner
}

const onNode: Exec = withOwnLock((argv, options) => lab.node.exec(argv, options))
const iptablesOf = (flavour: Flavour): Backend =>
  createIptablesBackend({ iptables: createIptables(onNode), flavour, serviceCIDRs: SERVICE_CIDRS })
/** Those of the kernel that this machine has; ipvs is in test/vm. */
const BACKENDS = {
  nftables: () => createNftablesBackend({ nft: createNft(onNode), tableName: 'fairway-test', serviceCIDRs: SERVICE_CIDRS }),
  'iptables-nft': () => iptablesOf('nft'),
  'iptables-legacy': () => iptablesOf('legacy'),
} as const
type Name = keyof typeof BACKENDS
const NAMES = Object.keys(BACKENDS) as Name[]

const newProxy = (name: Name): Proxy => ({
  backend: BACKENDS[name](),
  cleaner: createFlowCleaner({
    conntrack: conntrack(),
    clock: realClock,
    log: silentLogger,
    metrics: createFlowMetrics(new Registry()),
  }),
})

// Without root there are no namespaces to make; src/proxy/conntrack proves the rules on a fake kernel.
describe.skipIf(!canOpenLab)('flows between network namespaces', () => {
  beforeAll(openWorld)
  afterAll(async () => {
    await rm(LOCK, { force: true })
    for (const agent of [client, ...servers]) await agent?.stop()
    await lab?.close()
  })

  const cases = NAMES.flatMap((name) => (['IPv4', 'IPv6'] as const).map((family) => [name, family] as const))
  describe.each(cases)('of %s, %s', (name: Name, family: IPFamily) => {
    // Rules of one must not stay for the next.
    afterAll(() => BACKENDS[name]().cleanup())

    let plan: AddressPlan
    let proxy: Proxy
    let carried: Map<string, Forwarding>
    /** A source port that no flow had before. */
    let nextPort = 40_000

    beforeEach(async () => {
      plan = lab.plan(family)
      proxy = newProxy(name)
      carried = new Map()
      await proxy.backend.cleanup()
      // Without any rule that asks for it the kernel tracks nothing, and so makes no black holes.
      const table = `${family === 'IPv4' ? 'ip' : 'ip6'} tracked`
      await lab.node.exec(['nft', '--file', '-'], {
        stdin: `table ${table} {\n chain forward {\n type filter hook forward priority 0\n ct state invalid drop\n }\n}\n`,
      })
      await lab.node.exec(['conntrack', '-F'])
      await client.ask({ op: 'reset' })
    })

    const pod = (index: number): FlowEnd => ({ address: plan.pods[index] ?? '', port: SERVER_PORT })
    /** Service `dns`, UDP and TCP 53, with these pods behind it. */
    const dns = (...pods: readonly number[]): Forwarding => {
      const protocols = ['UDP', 'TCP'] as const
      const object = service('dns', {
        type: 'NodePort',
        clusterIP: plan.clusterIP(0),
        clusterIPs: [plan.clusterIP(0)],
        ports: protocols.map((protocol) => port(53, { name: protocol.toLowerCase(), protocol, nodePort: NODE_PORT })),
      })
      const endpoints = pods.map((index) => endpoint(pod(index).address, { nodeName: plan.node.name }))
      const ports = protocols.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: SERVER_PORT }))
      const slices = [slice('dns', endpoints, { addressType: family, ports })]
      const meaning = serviceForwarding({ service: object, slices, node: plan.node }, family)
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    }
    const changeTo = (set: readonly Forwarding[]) => ({
      full: carried.size === 0,
      set,
      delete: [...carried.keys()].filter((key) => !set.some((each) => each.key === key)),
      node: plan.node,
    })
    /** Rules alone: what flows would be without a look at them. */
    const program = (...set: readonly Forwarding[]) => proxy.backend.sync(changeTo(set))
    const clean = async (...set: readonly Forwarding[]) => {
      const report = await proxy.cleaner.afterSync(carried, changeTo(set))
      expect(report.failed).toBeUndefined()
      carried = new Map(set.map((each) => [each.key, each]))
      return report
    }
    const carry = async (...set: readonly Forwarding[]) => {
      await program(...set)
      return clean(...set)
    }

    const clusterIP = (): FlowEnd => ({ address: plan.clusterIP(0), port: 53 })
    const nodePort = (): FlowEnd => ({ address: plan.node.nodePortAddresses[0] ?? '', port: NODE_PORT })
    const ask = (from: number, to: FlowEnd, op: 'udp' | 'tcp' = 'udp'): Promise<Answer | undefined> =>
      client.ask({ op, from: { address: plan.sources.outside, port: from }, to })
    /** Source ports of flows that lead to this pod, found by trying. */
    const flowTo = async (index: number, to: FlowEnd, op: 'udp' | 'tcp' = 'udp'): Promise<number> => {
      for (let tries = 0; tries < 64; tries++) {
        const from = nextPort++
        const answer = await ask(from, to, op)
        if (JSON.stringify(answer) === JSON.stringify({ from: pod(index) })) return from
      }
      throw new Error(`no flow led to pod ${index}`)
    }

    it.each([
      ['a ClusterIP', clusterIP],
      ['a NodePort', nodePort],
    ])('of UDP through %s move at once when their endpoint goes, those to others stay, and TCP stays', async (_what, to) => {
      await carry(dns(0, 1))
      const moving = await flowTo(0, to())
      const staying = await flowTo(1, to())
      const connection = await flowTo(0, to(), 'tcp')
      await program(dns(1))
      expect(await ask(moving, to())).toEqual({ from: pod(0) })
      expect((await clean(dns(1))).removed).toBeGreaterThan(0)
      expect(await ask(moving, to())).toEqual({ from: pod(1) })
      expect(await ask(staying, to())).toEqual({ from: pod(1) })
      expect(await ask(connection, to(), 'tcp')).toEqual({ from: pod(0) })
      // The one that stayed was not made anew: with the endpoint back, a new one might go there.
      expect((await carry(dns(0, 1))).listed).toBe(0)
      expect(await ask(staying, to())).toEqual({ from: pod(1) })
    })

    it('stay as they are when another process takes over', async () => {
      await carry(dns(0, 1))
      const flows = [await flowTo(0, clusterIP()), await flowTo(1, clusterIP()), await flowTo(0, nodePort())]
      const connection = await flowTo(1, nodePort(), 'tcp')
      proxy = newProxy(name)
      carried = new Map()
      const report = await carry(dns(0, 1))
      expect(report).toMatchObject({ removed: 0 })
      expect(report.listed).toBeGreaterThanOrEqual(flows.length)
      expect(await ask(flows[0] ?? 0, clusterIP())).toEqual({ from: pod(0) })
      expect(await ask(flows[1] ?? 0, clusterIP())).toEqual({ from: pod(1) })
      expect(await ask(flows[2] ?? 0, nodePort())).toEqual({ from: pod(0) })
      expect(await ask(connection, nodePort(), 'tcp')).toEqual({ from: pod(1) })
    })

    it('whose endpoint vanished while no process ran move when the next one starts', async () => {
      await carry(dns(0, 1))
      const [moving, staying] = [await flowTo(0, clusterIP()), await flowTo(1, clusterIP())]
      proxy = newProxy(name)
      carried = new Map()
      await carry(dns(1))
      expect(await ask(moving, clusterIP())).toEqual({ from: pod(1) })
      expect(await ask(staying, clusterIP())).toEqual({ from: pod(1) })
    })

    it('that were refused for want of an endpoint reach the first one', async () => {
      await carry(dns())
      const from = nextPort++
      // Refused, or silence: the kernel limits the rate of refusals.
      expect(await ask(from, clusterIP())).not.toHaveProperty('from')
      await carry(dns(0))
      expect(await ask(from, clusterIP())).toEqual({ from: pod(0) })
    })

    it('that were made before there were any rules find the Service', async () => {
      const from = nextPort++
      expect(await ask(from, clusterIP())).not.toHaveProperty('from')
      await program(dns(0))
      expect(await ask(from, clusterIP())).not.toHaveProperty('from')
      expect(await clean(dns(0))).toMatchObject({ removed: 1 })
      expect(await ask(from, clusterIP())).toEqual({ from: pod(0) })
    })

    it('of TCP that began while the rules were gone are answered after their repair', async () => {
      await carry(dns(0))
      await proxy.backend.cleanup()
      const [lost, other] = [nextPort++, nextPort++]
      for (const from of [lost, other]) expect(await ask(from, clusterIP(), 'tcp')).not.toHaveProperty('from')
      proxy = newProxy(name)
      carried = new Map()
      await carry(dns(0))
      const connection = await flowTo(0, nodePort(), 'tcp')
      expect(await proxy.cleaner.afterRepair(carried, plan.node)).toMatchObject({ removed: 2 })
      // The client's kernel sends again after 1, 3, 7, 15 and 31 s; on a busy machine the rules may come late.
      await expect.poll(() => ask(lost, clusterIP(), 'tcp'), { timeout: 45_000 }).toEqual({ from: pod(0) })
      expect(await ask(connection, nodePort(), 'tcp')).toEqual({ from: pod(0) })
    })

    it.each([
      ['the last endpoint', () => [dns()]],
      ['the Service', () => []],
    ] as const)('end when %s goes', async (_what, then) => {
      await carry(dns(0))
      const from = await flowTo(0, clusterIP())
      await program(...then())
      expect(await ask(from, clusterIP())).toEqual({ from: pod(0) })
      expect(await clean(...then())).toMatchObject({ removed: 1 })
      expect(await ask(from, clusterIP())).not.toHaveProperty('from')
    })
  })
})
