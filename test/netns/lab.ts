import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Exec, realExec } from '../../src/host/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import type { NodeView, Packet } from '../../src/model/index.ts'
import type { AddressPlan, Outcome } from '../../src/proxy/backend.conformance.ts'
import type { Request } from './agent.ts'

/** A client outside and two nodes on one LAN, pods behind a bridge on each node; every one is a network namespace with IPv4 and IPv6. */
export interface Lab {
  /** The node that is under test: what runs here goes through its rules. */
  readonly node: LabNode
  /** Addresses for the conformance suite. */
  plan(family: IPFamily): AddressPlan
  /** From the process at the packet's source address. */
  send(packet: Packet): Promise<Outcome>
  /** The process that has this address (of either family). */
  agentAt(address: string): Agent
  /** Of the client outside, by name; for tests that add to the world. */
  readonly outside: string
  close(): Promise<void>
}

export interface LabNode {
  /** Of the network namespace. */
  readonly name: string
  /** Its file, for `openNetlink`. */
  readonly path: string
  /** Runs a command on the node. */
  readonly exec: Exec
  view(family: IPFamily): NodeView
}

/** A process in one of the namespaces. */
export interface Agent {
  readonly pid: number
  readonly namespace: string
  ask(request: Request): Promise<unknown>
}

export const POD_PORT = 8080
/** Where there is no root there are no namespaces to make. */
export const canOpenLab = process.getuid?.() === 0

/** Host parts of addresses: three pods with servers, then one that is only a client. */
const PODS = [2, 3, 4, 5] as const
const AWAY_PODS = [2, 3, 4] as const
const ADDRESSES = {
  IPv4: {
    pod: (node: number, last: number) => `10.1.${node}.${last}`,
    podRange: (node: number) => `10.1.${node}.0/24`,
    lan: (last: number) => `198.51.100.${last}`,
    lanLength: 24,
    clusterIP: (index: number) => `10.96.0.${index + 10}`,
    externalIP: '192.0.2.200',
    vip: '203.0.113.1',
  },
  IPv6: {
    pod: (node: number, last: number) => `fd00:${node}::${last}`,
    podRange: (node: number) => `fd00:${node}::/64`,
    lan: (last: number) => `fd00:a::${last}`,
    lanLength: 64,
    clusterIP: (index: number) => `fd00:96::${(index + 16).toString(16)}`,
    externalIP: 'fd00:e::200',
    vip: 'fd00:f::1',
  },
} as const
const FAMILIES = ['IPv4', 'IPv6'] as const
const OUTSIDE = 9
const hasBridgeNetfilter = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')

interface Names {
  readonly outside: string
  readonly node: (number: number) => string
  readonly pod: (node: number, index: number) => string
}

/** Builds it; `tag` (a few letters) keeps the labs of test files apart. Removes what it made when it fails half-way. */
export const openLab = async (tag: string): Promise<Lab> => {
  const prefix = `${tag}${process.pid % 100_000}`
  const names: Names = {
    outside: `${prefix}-o`,
    node: (number) => `${prefix}-n${number}`,
    pod: (node, index) => `${prefix}-n${node}p${index}`,
  }
  const agents = new Map<string, StartedAgent>()
  const close = async (): Promise<void> => {
    await Promise.all([...new Set(agents.values())].map(stopAgent))
    for (const name of namespacesOf(names)) await realExec(['ip', 'netns', 'del', name]).catch(() => {})
  }
  try {
    await buildNetwork(names)
    await startAgents(names, agents)
  } catch (error) {
    await close()
    throw error
  }
  const agentAt = (address: string): Agent => {
    const agent = agents.get(address)
    if (agent === undefined) throw new Error(`no namespace has ${address}`)
    return agent
  }
  return {
    node: labNode(names.node(1)),
    plan,
    send: async (packet) => (await agentAt(packet.source.address).ask({ op: 'send', packet })) as Outcome,
    agentAt,
    outside: names.outside,
    close,
  }
}

const labNode = (name: string): LabNode => ({
  name,
  path: `/run/netns/${name}`,
  exec: (argv, options) => realExec(['ip', 'netns', 'exec', name, ...argv], options),
  view: nodeView,
})

const nodeView = (family: IPFamily): NodeView => {
  const { lan, pod, podRange } = ADDRESSES[family]
  return { name: 'n1', addresses: [lan(1), pod(1, 1)], podCIDRs: [podRange(1)], nodePortAddresses: [lan(1)] }
}

const plan = (family: IPFamily): AddressPlan => {
  const { clusterIP, externalIP, vip, pod, lan } = ADDRESSES[family]
  return {
    clusterIP,
    externalIP,
    vip,
    node: nodeView(family),
    nodePort: 30_080,
    pods: PODS.slice(0, 3).map((last) => pod(1, last)),
    awayPods: AWAY_PODS.map((last) => pod(2, last)),
    endpointPort: POD_PORT,
    sources: { pod: pod(1, PODS[3]), node: lan(1), outside: lan(OUTSIDE) },
  }
}

const podsOf = (node: number): readonly number[] => (node === 1 ? PODS : AWAY_PODS)

const namespacesOf = (names: Names): readonly string[] => [
  names.outside,
  ...[1, 2].flatMap((node) => [names.node(node), ...podsOf(node).map((_, index) => names.pod(node, index))]),
]

/** The LAN is a bridge in the namespace of the client outside; nodes route their pods' ranges to each other. */
const buildNetwork = async (names: Names): Promise<void> => {
  for (const name of namespacesOf(names)) {
    await realExec(['ip', 'netns', 'add', name])
    // Nobody else is on these links: addresses are usable at once.
    await sysctls(name, { 'ipv6/conf/all/accept_dad': '0', 'ipv6/conf/default/accept_dad': '0' })
    await batch(name, ['link set lo up'])
  }
  await batch(names.outside, [
    'link add lan type bridge',
    ...FAMILIES.map((family) => lanAddress(family, OUTSIDE, 'lan')),
    'link set lan up',
  ])
  for (const node of [1, 2]) await buildNode(names, node)
  for (const family of FAMILIES) {
    const { lan, podRange } = ADDRESSES[family]
    await batch(names.outside, [`route add ${podRange(2)} via ${lan(2)}`, `route add default via ${lan(1)}`])
  }
}

const lanAddress = (family: IPFamily, last: number, device: string): string => {
  const { lan, lanLength } = ADDRESSES[family]
  return `addr add ${lan(last)}/${lanLength} dev ${device}${family === 'IPv6' ? ' nodad' : ''}`
}

const buildNode = async (names: Names, node: number): Promise<void> => {
  const other = node === 1 ? 2 : 1
  const { IPv4, IPv6 } = ADDRESSES
  const name = names.node(node)
  await batch(name, [
    'link add br0 type bridge',
    `addr add ${IPv4.pod(node, 1)}/24 dev br0`,
    `addr add ${IPv6.pod(node, 1)}/64 dev br0 nodad`,
    'link set br0 up',
    `link add eth0 type veth peer name n${node} netns ${names.outside}`,
    ...FAMILIES.map((family) => lanAddress(family, node, 'eth0')),
    'link set eth0 up',
  ])
  await batch(names.outside, [`link set n${node} master lan up`])
  await sysctls(name, { 'ipv4/ip_forward': '1', 'ipv6/conf/all/forwarding': '1', 'ipv4/conf/all/send_redirects': '0' })
  await sysctls(name, { 'ipv4/conf/br0/send_redirects': '0', 'ipv4/conf/br0/proxy_arp_pvlan': '1' })
  // A node needs some route to the Service addresses: packets are rewritten after routing.
  await batch(
    name,
    FAMILIES.flatMap((family) => {
      const { lan, podRange } = ADDRESSES[family]
      return [`route add ${podRange(other)} via ${lan(other)}`, `route add default via ${lan(OUTSIDE)}`]
    }),
  )
  for (const [index, last] of podsOf(node).entries()) await buildPod(names, { node, index, last })
}

const buildPod = async (names: Names, { node, index, last }: { node: number; index: number; last: number }): Promise<void> => {
  const { IPv4, IPv6 } = ADDRESSES
  const name = names.pod(node, index)
  // Answers between pods of one bridge must pass the node's conntrack. With br_netfilter they do, and a pod reaches itself through a
  // hairpin port; without, ports are isolated, so that the node forwards between pods, not the bridge.
  const flag = hasBridgeNetfilter ? 'hairpin' : 'isolated'
  await batch(names.node(node), [
    `link add p${index} type veth peer name eth0 netns ${name}`,
    `link set p${index} master br0 up`,
    `link set p${index} type bridge_slave ${flag} on`,
  ])
  await sysctls(name, { 'ipv6/conf/all/accept_redirects': '0', 'ipv6/conf/eth0/accept_redirects': '0' })
  await batch(name, [
    `addr add ${IPv4.pod(node, last)}/24 dev eth0`,
    // Alone in its prefix, so that IPv6 neighbours are reached through the node.
    `addr add ${IPv6.pod(node, last)}/128 dev eth0 nodad`,
    'link set eth0 up',
    `route add default via ${IPv4.pod(node, 1)}`,
    `route add ${IPv6.pod(node, 1)} dev eth0`,
    `route add default via ${IPv6.pod(node, 1)} dev eth0`,
  ])
}

/** One `ip` process for several commands. */
const batch = async (namespace: string, commands: readonly string[]): Promise<void> => {
  await realExec(['ip', '-n', namespace, '-batch', '-'], { stdin: `${commands.join('\n')}\n` })
}

const sysctls = async (namespace: string, values: Readonly<Record<string, string>>): Promise<void> => {
  const script = Object.entries(values).map(([key, value]) => `echo ${value} > /proc/sys/net/${key}`)
  await realExec(['ip', 'netns', 'exec', namespace, 'sh', '-ec', script.join('\n')])
}

interface StartedAgent extends Agent {
  readonly child: ChildProcess
}

const startAgents = async (names: Names, agents: Map<string, StartedAgent>): Promise<void> => {
  const start = async (namespace: string, addresses: readonly string[], isServer: boolean): Promise<void> => {
    const agent = await startAgent(namespace)
    for (const address of addresses) agents.set(address, agent)
    if (!isServer) return
    for (const address of addresses) await agent.ask({ op: 'pod', target: { address, port: POD_PORT } })
  }
  const ofBoth = (address: (family: IPFamily) => string): readonly string[] => FAMILIES.map(address)
  const wanted = [
    start(
      names.outside,
      ofBoth((family) => ADDRESSES[family].lan(OUTSIDE)),
      false,
    ),
    start(
      names.node(1),
      ofBoth((family) => ADDRESSES[family].lan(1)),
      false,
    ),
    ...[1, 2].flatMap((node) =>
      podsOf(node).map((last, index) =>
        start(
          names.pod(node, index),
          ofBoth((family) => ADDRESSES[family].pod(node, last)),
          index < 3,
        ),
      ),
    ),
  ]
  const failed = (await Promise.allSettled(wanted)).find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

const agentFile = fileURLToPath(new URL('agent.ts', import.meta.url))

const startAgent = async (namespace: string): Promise<StartedAgent> => {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '--import', 'tsx', agentFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, (answer: Answer) => void>()
  const ready = once(child, 'message')
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer))
  await Promise.race([
    ready,
    once(child, 'exit').then(() => Promise.reject(new Error(`the agent of ${namespace} did not start`))),
  ])
  let id = 0
  return {
    child,
    // `ip netns exec` becomes the command.
    pid: child.pid ?? 0,
    namespace,
    ask: (request) =>
      new Promise((resolve, reject) => {
        const mine = ++id
        waiting.set(mine, ({ result, error }) => {
          waiting.delete(mine)
          if (error === undefined) resolve(result)
          else reject(new Error(error))
        })
        child.send({ id: mine, request })
      }),
  }
}

const stopAgent = async ({ child }: StartedAgent): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.disconnect()
  await exited
}
