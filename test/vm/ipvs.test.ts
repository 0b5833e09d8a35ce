import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServiceSpec } from '../../src/api/index.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import type { Exec } from '../../src/host/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { createConntrackTool } from '../../src/kernel/conntrack/index.ts'
import type { Choice, Flavour } from '../../src/kernel/iptables/index.ts'
import { createIpvs, createServiceDevice } from '../../src/kernel/ipvs/index.ts'
import { ipvsConformance } from '../../src/kernel/ipvs/ipvs.conformance.ts'
import { type Forwarding, type Packet, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'
import { type AddressPlan, backendConformance, type Outcome } from '../../src/proxy/backend.conformance.ts'
import { createIpvsBackend, createKernel, type Kernel } from '../../src/proxy/backends/ipvs/index.ts'
import { createFlowCleaner, createFlowMetrics } from '../../src/proxy/conntrack/index.ts'
import type { Request } from '../netns/agent.ts'
import type { FlowRequest } from '../netns/flow-clients.ts'
import { SERVICE_CIDRS } from '../netns/services.ts'
import { guestKernel } from './kernel.ts'
import { bootMachine, type Machine } from './machine.ts'
import type { GuestLab } from './protocol.ts'

const ECHO_PORT = 9_000
const FLOW_PORT = 9_090
const debian = await guestKernel()
if ('missing' in debian) console.warn(`test/vm is skipped: ${debian.missing}`)

let machine: Machine
let lab: GuestLab
/** Found out once: many tools are tried for it. */
let choice: Choice
const onNode: Exec = (argv, options) => machine.exec(['ip', 'netns', 'exec', lab.node, ...argv], options)
const text = async (...argv: readonly [string, ...string[]]): Promise<string> => (await onNode(argv)).stdout
const agent = (address: string, request: Request): Promise<unknown> => machine.ask({ op: 'agent', address, request })
const send = async (packet: Packet): Promise<Outcome> => {
  let outcome: Outcome = { kind: 'dropped' }
  // Without acceleration an answer may take longer than the lab waits for a datagram; what is dropped stays dropped.
  for (let attempt = 0; attempt < 3 && outcome.kind === 'dropped'; attempt++) {
    outcome = (await machine.ask({ op: 'send', packet })) as Outcome
    if (packet.protocol !== 'UDP') break
  }
  return outcome
}
const plan = (family: IPFamily): AddressPlan => {
  const { clusterIPs, ...rest } = lab.plans[family]
  return { ...rest, clusterIP: (index) => clusterIPs[index] ?? '' }
}
const newKernel = (flavour?: Flavour): Kernel => {
  const kernel = createKernel(onNode)
  const choose = async (): Promise<Choice> => (flavour === undefined || 'obstacle' in choice ? choice : { ...choice, flavour })
  return { ...kernel, iptables: { ...kernel.iptables, choose } }
}
const newBackend = (kernel = newKernel()) => createIpvsBackend({ kernel, serviceCIDRs: SERVICE_CIDRS, drainIntervalMs: 500 })

/** A kernel with what it is told to write. */
const watched = (flavour: Flavour) => {
  const kernel = newKernel(flavour)
  const written: string[] = []
  const noting =
    <Told extends readonly unknown[]>(
      what: string,
      list: (...told: Told) => readonly unknown[],
      run: (...told: Told) => Promise<void>,
    ) =>
    (...told: Told): Promise<void> => {
      written.push(...list(...told).map((each) => `${what} ${JSON.stringify(each)}`))
      return run(...told)
    }
  const watching: Kernel = {
    ...kernel,
    ipvs: { ...kernel.ipvs, commit: noting('ipvs', (operations) => operations, kernel.ipvs.commit) },
    ipset: { ...kernel.ipset, commit: noting('ipset', (commands) => commands, kernel.ipset.commit) },
    iptables: { ...kernel.iptables, restore: noting('iptables', (_, transaction) => transaction, kernel.iptables.restore) },
    device: { ...kernel.device, change: noting('device', ({ add, remove }) => [...add, ...remove], kernel.device.change) },
  }
  return { kernel: watching, written }
}

interface Wanted {
  readonly family?: IPFamily
  readonly spec?: Partial<ServiceSpec>
  readonly vip?: string
  readonly targetPort?: number
}

/** Service `web` with these pods behind it. */
const web = (pods: readonly string[], { family = 'IPv4', spec = {}, vip, targetPort }: Wanted = {}): Forwarding => {
  const { clusterIP, node, endpointPort } = plan(family)
  const { ports = [port(80)] } = spec
  const object = service(
    'web',
    { clusterIP: clusterIP(0), clusterIPs: [clusterIP(0)], ...spec },
    vip === undefined ? {} : { status: vips(vip) },
  )
  const endpoints = pods.map((address) => endpoint(address, { nodeName: plan(family).pods.includes(address) ? node.name : 'n2' }))
  const slicePorts = ports.map(({ protocol, name = '' }) => ({ port: targetPort ?? endpointPort, protocol, name }))
  const slices = [slice('web', endpoints, { addressType: family, ports: slicePorts })]
  const meaning = serviceForwarding({ service: object, slices, node }, family)
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const full = (...set: readonly Forwarding[]) => ({ full: true, set, delete: [], node: plan('IPv4').node })
const toWeb = (address: string): Packet => ({
  source: { class: 'outside', address },
  destination: { address: plan('IPv4').clusterIP(0), port: 80 },
  protocol: 'TCP',
})

// Few kernels that tests run on have ip_vs, so this one brings its own; the reason of a skip is printed above.
describe.skipIf('missing' in debian)('ipvs in a virtual machine', () => {
  beforeAll(async () => {
    if ('missing' in debian) return
    machine = await bootMachine({ kernel: debian, limitMs: 3_600_000 })
    lab = (await machine.ask({ op: 'open lab' })) as GuestLab
    choice = await createKernel(onNode).iptables.choose()
  }, 300_000)
  afterAll(() => machine?.close())

  ipvsConformance('the kernel', () => ({
    ipvs: createIpvs(onNode),
    clear: async () => void (await onNode(['ipvsadm', '--clear'])),
  }))

  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`ipvs in a virtual machine, ${family}`, async () => ({
      backend: newBackend(),
      plan: plan(family),
      send,
      close: async () => {},
    }))
  }

  it('keeps addresses and a note on its device, and says when there is none', async () => {
    const device = createServiceDevice(onNode, 'test-ipvs0')
    expect(await device.read()).toBeUndefined()
    await device.ensure('fairway:a=1,b=2')
    await device.change({ add: ['10.96.9.1', 'fd00:96::901'], remove: [] })
    await device.change({ add: ['10.96.9.1', '10.96.9.2'], remove: ['fd00:96::901', 'fd00:96::902'] })
    await device.ensure('fairway:a=1')
    expect(await device.read()).toEqual({ note: 'fairway:a=1', addresses: ['10.96.9.1', '10.96.9.2'] })
    await device.remove()
    await device.remove()
    expect(await device.read()).toBeUndefined()
  })

  it.each([
    ['IPv4', 'nft'],
    ['IPv6', 'nft'],
    ['IPv4', 'legacy'],
    ['IPv6', 'legacy'],
  ] as const)('adopts all that another process wrote, every kind of thing, %s with iptables-%s', async (family, flavour) => {
    await newBackend().cleanup()
    const { pods, awayPods = [], externalIP, vip, nodePort, node } = plan(family)
    const everything = web([pods[0] ?? '', awayPods[0] ?? ''], {
      family,
      vip,
      spec: {
        type: 'LoadBalancer',
        externalIPs: [externalIP],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges:
          family === 'IPv4' ? ['203.0.5.0/24', '203.0.6.1/32', '0.0.0.0/0'] : ['fd00:5::/64', 'fd00:6::1/128'],
        ports: (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) =>
          port(80, { name: `p${at}`, protocol, nodePort: nodePort + at }),
        ),
      },
    })
    const change = { full: true, set: [everything], delete: [], node }
    await newBackend(newKernel(flavour)).sync(change)
    const { kernel, written } = watched(flavour)
    const backend = newBackend(kernel)
    await backend.sync(change)
    expect(await backend.audit()).toEqual([])
    expect(written).toEqual([])
    await backend.cleanup()
  })

  it('keeps a connection to an endpoint that is gone until it ends, and sends new ones elsewhere', async () => {
    const { pods, sources, clusterIP } = plan('IPv4')
    const [stays = '', goes = ''] = pods
    for (const address of [stays, goes]) await agent(address, { op: 'echo server', target: { address, port: ECHO_PORT } })
    const backend = newBackend()
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync(full(web([goes], { targetPort: ECHO_PORT })))
    const packet: Packet = { ...toWeb(sources.outside), destination: { address: clusterIP(0), port: 80 } }
    const connection = Number(await agent(sources.outside, { op: 'open', packet }))
    const exchange = (text: string) => agent(sources.outside, { op: 'exchange', connection, text })
    expect(await exchange('before')).toBe('before')
    await backend.sync({ ...full(web([stays], { targetPort: ECHO_PORT })), full: false })
    expect(await text('ipvsadm', '-S', '-n')).toContain(`-r ${goes}:${ECHO_PORT} -m -w 0`)
    expect(await exchange('after')).toBe('after')
    const other = Number(await agent(sources.outside, { op: 'open', packet }))
    expect(await agent(sources.outside, { op: 'exchange', connection: other, text: 'new' })).toBe('new')
    expect(await text('ipvsadm', '-L', '-n', '-c')).toContain(`${stays}:${ECHO_PORT}`)
    const server = { protocol: 'tcp', address: clusterIP(0), port: 80 } as const
    expect(await createIpvs(onNode).loads(server)).toContainEqual({
      address: goes,
      port: ECHO_PORT,
      weight: 0,
      active: 1,
      inactive: 0,
    })
    await backend.sync({ ...full(web([], { targetPort: ECHO_PORT })), full: false })
    expect(await exchange('still')).toBe('still')
    stop.abort()
    await stopped
  })

  it('moves UDP flows off an endpoint that is gone, leaves the others, and says nothing to TCP', async () => {
    await newBackend().cleanup()
    const { pods, sources, clusterIP, node } = plan('IPv4')
    const [first = '', second = ''] = pods
    const to = { address: clusterIP(0), port: 53 }
    const flow = (address: string, request: FlowRequest) => agent(address, { op: 'flow', request })
    for (const address of [first, second]) await flow(address, { op: 'serve', at: { address, port: FLOW_PORT } })
    const backend = newBackend()
    const cleaner = createFlowCleaner({
      conntrack: createConntrackTool(onNode),
      clock: realClock,
      log: silentLogger,
      metrics: createFlowMetrics(new Registry()),
    })
    let carried = new Map<string, Forwarding>()
    const carry = async (...endpoints: readonly string[]) => {
      const ports = (['UDP', 'TCP'] as const).map((protocol) => port(53, { name: protocol.toLowerCase(), protocol }))
      const set = [web(endpoints, { spec: { ports }, targetPort: FLOW_PORT })]
      const change = { full: carried.size === 0, set, delete: [], node }
      await backend.sync(change)
      expect((await cleaner.afterSync(carried, change)).failed).toBeUndefined()
      carried = new Map(set.map((each) => [each.key, each]))
    }
    const ask = async (from: number, op: 'udp' | 'tcp' = 'udp'): Promise<string> => {
      const answer = await flow(sources.outside, { op, from: { address: sources.outside, port: from }, to })
      return typeof answer === 'object' && answer !== null && 'from' in answer ? JSON.stringify(answer.from) : String(answer)
    }
    const at = (address: string): string => JSON.stringify({ address, port: FLOW_PORT })
    const flowTo = async (address: string, op: 'udp' | 'tcp' = 'udp'): Promise<number> => {
      for (let from = 42_000; from < 42_050; from++) if ((await ask(from, op)) === at(address)) return from
      throw new Error(`no flow leads to ${address}`)
    }
    await carry(first, second)
    const [moving, staying, connection] = [await flowTo(first), await flowTo(second), await flowTo(first, 'tcp')]
    await carry(second)
    // ipvs forgets a connection to who is gone with the packet that it meets.
    await expect.poll(() => ask(moving), { timeout: 10_000 }).toBe(at(second))
    expect(await ask(staying)).toBe(at(second))
    expect(await ask(connection, 'tcp')).toBe(at(first))
  })

  it('sets timeouts where it is told to', async () => {
    await newBackend().cleanup()
    const before = await createIpvs(onNode).timeouts()
    const timeouts = { tcp: before.tcp + 60 }
    const backend = createIpvsBackend({ kernel: newKernel(), serviceCIDRs: SERVICE_CIDRS, timeouts })
    await backend.sync(full(web(plan('IPv4').pods)))
    expect(await createIpvs(onNode).timeouts()).toEqual({ ...before, ...timeouts })
    await newBackend().cleanup()
    expect(await createIpvs(onNode).timeouts()).toEqual(before)
  })

  it('leaves out an endpoint that the kernel refuses, says so, and carries all the rest', async () => {
    const { pods, sources, endpointPort } = plan('IPv4')
    const backend = newBackend()
    await backend.sync(full(web(['10.1.1.255', pods[0] ?? ''])))
    expect(await send(toWeb(sources.outside))).toMatchObject({ kind: 'reached', endpoint: `${pods[0]}:${endpointPort}` })
    expect(backend.exceptions()).toMatchObject([{ state: 'failed', message: expect.stringContaining('10.1.1.255') }])
    expect(await backend.audit()).toEqual([])
  })

  it('lets a process of the node that has no other source reach a pod of another node', async () => {
    const { awayPods = [], clusterIP, sources, endpointPort } = plan('IPv4')
    await newBackend().sync(full(web(awayPods.slice(0, 1))))
    const packet: Packet = { ...toWeb(clusterIP(0)), source: { class: 'node', address: clusterIP(0) } }
    expect(await agent(sources.node, { op: 'send', packet })).toMatchObject({
      kind: 'reached',
      endpoint: `${awayPods[0]}:${endpointPort}`,
    })
  })

  it('mends what others changed, says what it was, and leaves theirs alone', async () => {
    const { pods, sources, clusterIP } = plan('IPv4')
    const backend = newBackend()
    await backend.sync(full(web(pods)))
    await onNode(['ipvsadm', '-A', '-t', '198.51.100.1:8443', '-s', 'rr'])
    await onNode(['ipvsadm', '-D', '-t', `${clusterIP(0)}:80`])
    await onNode(['ipset', 'flush', 'KUBE-CLUSTER-IP'])
    await onNode(['ip', 'address', 'del', `${clusterIP(0)}/32`, 'dev', 'kube-ipvs0'])
    await onNode(['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/vs/conntrack'])
    const drift = (await backend.audit()).map(({ kind, what }) => `${kind} ${what}`)
    expect(drift).toEqual(
      expect.arrayContaining([
        `missing virtual server tcp ${clusterIP(0)}:80`,
        `missing member ${clusterIP(0)},tcp:80 of set KUBE-CLUSTER-IP`,
        `missing address ${clusterIP(0)} on kube-ipvs0`,
        'changed sysctl net/ipv4/vs/conntrack',
      ]),
    )
    expect((await send(toWeb(sources.outside))).kind).toBe('reached')
    expect(await text('ipvsadm', '-S', '-n')).toContain('-A -t 198.51.100.1:8443')
    await onNode(['ipvsadm', '-D', '-t', '198.51.100.1:8443'])
  })

  it('leaves nothing behind after cleanup, and the settings as they were', async () => {
    const { pods, externalIP, nodePort } = plan('IPv4')
    const spec = { type: 'NodePort', externalIPs: [externalIP], ports: [port(80, { nodePort })] } as const
    const settings = ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template'].map(
      (name) => `/proc/sys/net/ipv4/vs/${name}`,
    )
    await newBackend().cleanup()
    for (const setting of settings) await onNode(['sh', '-c', `echo 0 > ${setting}`])
    await newBackend().sync(full(web(pods)))
    expect(await text('cat', ...settings)).toBe('1\n1\n1\n')
    await newBackend().sync(full(web(pods, { spec })))
    await newBackend().cleanup()
    await newBackend().cleanup()
    expect(await text('ipvsadm', '-S', '-n')).toBe('')
    expect(await text('ipset', 'list', '-name')).toBe('')
    expect(await text('ip', 'link')).not.toContain('kube-ipvs0')
    for (const tool of ['iptables', 'ip6tables']) expect(await text('sh', '-c', `${tool}-save`)).not.toContain('FAIRWAY')
    expect(await text('cat', ...settings)).toBe('0\n0\n0\n')
  })
})
