import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, realExec } from '../../src/host/index.ts'
import { createNft } from '../../src/kernel/nft/index.ts'
import { type Packet, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'
import { type AddressPlan, backendConformance, type Outcome } from '../../src/proxy/backend.conformance.ts'
import { createNftablesBackend } from '../../src/proxy/index.ts'
import type { Request } from './userspace-agent.ts'

const hasBridgeNetfilter = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')
const isRoot = process.getuid?.() === 0
const tag = `fn${process.pid % 100_000}`
const agentFile = fileURLToPath(new URL('userspace-agent.ts', import.meta.url))
const POD_PORT = 8080
/** Pods with servers, then one that is only a client. */
const PODS = ['10.1.1.2', '10.1.1.3', '10.1.1.4', '10.1.1.5']
const NODE = '198.51.100.1'
const OUTSIDE = '198.51.100.9'
const namespaces = { node: `${tag}-n`, outside: `${tag}-o`, pod: (index: number) => `${tag}-p${index}` }

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

interface Agent {
  readonly child: ChildProcess
  ask(request: Request): Promise<unknown>
}

/** By the address that packets leave from. */
const agents = new Map<string, Agent>()

const ip = (namespace: string, ...args: readonly string[]) => realExec(['ip', '-n', namespace, ...args])
const onNode: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', namespaces.node, ...argv], options)
const sysctl = (name: string, value: string) => onNode(['sh', '-c', `echo ${value} > /proc/sys/net/ipv4/${name}`])

const startAgent = async (namespace: string): Promise<Agent> => {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '--import', 'tsx', agentFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await once(child, 'message')
  const waiting = new Map<number, (answer: Answer) => void>()
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer))
  let id = 0
  return {
    child,
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

/** A node with a bridge of pods, and a client outside; each its own namespace. */
const build = async (): Promise<void> => {
  const { node, outside, pod } = namespaces
  for (const name of [node, outside, ...PODS.map((_, index) => pod(index))]) {
    await realExec(['ip', 'netns', 'add', name])
    await ip(name, 'link', 'set', 'lo', 'up')
  }
  await ip(node, 'link', 'add', 'br0', 'type', 'bridge')
  await ip(node, 'addr', 'add', '10.1.1.1/24', 'dev', 'br0')
  await ip(node, 'link', 'set', 'br0', 'up')
  for (const [name, value] of [
    ['ip_forward', '1'],
    ['conf/br0/proxy_arp_pvlan', '1'],
    ['conf/all/send_redirects', '0'],
    ['conf/br0/send_redirects', '0'],
  ] as const) {
    await sysctl(name, value)
  }
  for (const [index, address] of PODS.entries()) {
    await ip(node, 'link', 'add', `p${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod(index))
    await ip(node, 'link', 'set', `p${index}`, 'master', 'br0', 'up')
    // Answers between pods of one bridge must pass the node's conntrack. With br_netfilter they do, and a pod reaches itself through a
    // hairpin port; without, ports are isolated, so that the node forwards between pods, not the bridge.
    const flag = hasBridgeNetfilter ? 'hairpin' : 'isolated'
    await ip(node, 'link', 'set', `p${index}`, 'type', 'bridge_slave', flag, 'on')
    await ip(pod(index), 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await ip(pod(index), 'link', 'set', 'eth0', 'up')
    await ip(pod(index), 'route', 'add', 'default', 'via', '10.1.1.1')
  }
  await ip(node, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside)
  for (const [name, address] of [
    [node, NODE],
    [outside, OUTSIDE],
  ] as const) {
    await ip(name, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await ip(name, 'link', 'set', 'eth0', 'up')
  }
  // A node needs some route to the Service addresses: packets are rewritten after routing.
  await ip(node, 'route', 'add', 'default', 'via', OUTSIDE)
  await ip(outside, 'route', 'add', 'default', 'via', NODE)
  agents.set(NODE, await startAgent(node))
  agents.set(OUTSIDE, await startAgent(outside))
  for (const [index, address] of PODS.entries()) {
    const agent = await startAgent(pod(index))
    agents.set(address, agent)
    if (index < 3) await agent.ask({ op: 'pod', target: { address, port: POD_PORT } })
  }
}

const tearDown = async (): Promise<void> => {
  for (const { child } of agents.values()) {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  }
  const { node, outside, pod } = namespaces
  for (const name of [node, outside, ...PODS.map((_, index) => pod(index))]) {
    await realExec(['ip', 'netns', 'del', name]).catch(() => {})
  }
}

const send = async (packet: Packet): Promise<Outcome> => {
  const agent = agents.get(packet.source.address)
  if (agent === undefined) throw new Error(`no namespace has ${packet.source.address}`)
  return (await agent.ask({ op: 'send', packet })) as Outcome
}

const plan: AddressPlan = {
  clusterIP: (index) => `10.96.0.${index + 10}`,
  externalIP: '192.0.2.200',
  vip: '203.0.113.1',
  node: { name: 'n1', addresses: [NODE, '10.1.1.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: [NODE] },
  nodePort: 30_080,
  pods: PODS.slice(0, 3),
  endpointPort: POD_PORT,
  sources: { pod: PODS[3] ?? '', node: NODE, outside: OUTSIDE },
}

const newBackend = () =>
  createNftablesBackend({ nft: createNft(onNode), tableName: 'fairway-test', serviceCIDRs: ['10.96.0.0/16'] })
/** A new backend with the kinds of commands that it gives. */
const watched = () => {
  const kinds: string[] = []
  const nft = createNft(onNode)
  const commit: typeof nft.commit = (transaction) => {
    kinds.push(...transaction.commands.map(({ kind }) => kind))
    return nft.commit(transaction)
  }
  const backend = createNftablesBackend({ nft: { ...nft, commit }, tableName: 'fairway-test', serviceCIDRs: ['10.96.0.0/16'] })
  return { backend, kinds }
}
const nftText = async (...args: readonly string[]): Promise<string> => (await onNode(['nft', ...args])).stdout
/** Service `web` with these pods behind it, of 30 s affinity. */
const web = (...pods: readonly string[]) => {
  const object = service('web', {
    clusterIP: '10.96.0.10',
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 30 } },
    ports: [port(80)],
  })
  const slices = [
    slice(
      'web',
      pods.map((address) => endpoint(address, { nodeName: 'n1' })),
    ),
  ]
  const meaning = serviceForwarding({ service: object, slices, node: plan.node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const full = (...set: readonly ReturnType<typeof web>[]) => ({ full: true, set, delete: [], node: plan.node })
const toWeb: Packet = {
  source: { class: 'outside', address: OUTSIDE },
  destination: { address: '10.96.0.10', port: 80 },
  protocol: 'TCP',
}

// Without root there are no namespaces to make; the fake evaluates the same suite in src/proxy/backends/nftables.
describe.skipIf(!isRoot)('nftables proxy between network namespaces', () => {
  beforeAll(build)
  afterAll(tearDown)

  backendConformance('nftables in namespaces', async () => ({ backend: newBackend(), plan, send, close: async () => {} }))

  it('keeps remembered clients and writes nothing again when another process adopts its tables', async () => {
    await newBackend().sync(full(web(...plan.pods)))
    const first = await send(toWeb)
    expect(first.kind).toBe('reached')
    const { backend, kinds } = watched()
    await backend.sync(full(web(...plan.pods)))
    expect(kinds).not.toContain('add elements')
    expect(kinds).not.toContain('delete elements')
    expect(kinds).not.toContain('delete table')
    for (let round = 0; round < 4; round++) expect(await send(toWeb)).toEqual(first)
  })

  it.each(['IPv4', 'IPv6'] as const)('adopts every kind of %s element as it wrote it', async (family) => {
    const of = (net: string, last: number) => (family === 'IPv4' ? `203.0.${net}.${last}` : `fd00:${net}::${last}`)
    const node = { ...plan.node, podCIDRs: [family === 'IPv4' ? '203.0.1.0/24' : 'fd00:1::/64'], nodePortAddresses: [of('2', 1)] }
    const object = service(
      'all',
      {
        type: 'LoadBalancer',
        clusterIP: of('3', 1),
        clusterIPs: [of('3', 1)],
        externalIPs: [of('4', 1)],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges: family === 'IPv4' ? ['203.0.5.0/24', '203.0.6.1/32'] : ['fd00:5::/64', 'fd00:6::1/128'],
        ports: (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) =>
          port(80, { name: `p${at}`, protocol, nodePort: 30_000 + at }),
        ),
      },
      { status: vips(of('7', 1), of('7', 2)) },
    )
    const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) => ({ port: 8080, protocol, name: `p${at}` }))
    const pods = [endpoint(of('1', 1), { nodeName: 'n1' }), endpoint(of('1', 2), { nodeName: 'n2' })]
    const meaning = serviceForwarding(
      { service: object, slices: [slice('all', pods, { addressType: family, ports })], node },
      family,
    )
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    const change = { full: true, set: [meaning.forwarding], delete: [], node }
    await newBackend().sync(change)
    const { backend, kinds } = watched()
    await backend.sync(change)
    expect(kinds).not.toContain('add elements')
    expect(kinds).not.toContain('delete elements')
    expect(kinds).not.toContain('delete table')
  })

  it('carries IPv6, spread without and kept with session affinity on all frontends', async () => {
    const { node, outside, pod } = namespaces
    const script = `
      const { createServer } = require('node:net')
      const server = createServer((socket) => { socket.on('error', () => {}); socket.end(process.argv[1] + ' ' + socket.remoteAddress); socket.resume() })
      server.listen(8080, process.argv[1], () => console.log('listening'))`
    await onNode(['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'])
    await ip(node, 'addr', 'add', 'fd00:1::1/64', 'dev', 'br0', 'nodad')
    await ip(node, 'addr', 'add', 'fd00:a::1/64', 'dev', 'eth0', 'nodad')
    await ip(outside, 'addr', 'add', 'fd00:a::9/64', 'dev', 'eth0', 'nodad')
    await ip(outside, 'route', 'add', 'default', 'via', 'fd00:a::1')
    const servers: ChildProcess[] = []
    for (const index of [0, 1, 2]) {
      const address = `fd00:1::${index + 2}`
      await ip(pod(index), 'addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad')
      await ip(pod(index), 'route', 'add', 'default', 'via', 'fd00:1::1')
      const child = spawn('ip', ['netns', 'exec', pod(index), process.execPath, '-e', script, address], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      servers.push(child)
      await once(child.stdout, 'data')
    }
    const view = { name: 'n1', addresses: ['fd00:a::1'], podCIDRs: [], nodePortAddresses: ['fd00:a::1'] }
    const named = (name: string, clusterIP: string, nodePort: number, sessionAffinity: 'None' | 'ClientIP') => {
      const object = service(name, {
        type: 'NodePort',
        clusterIP,
        clusterIPs: [clusterIP],
        sessionAffinity,
        ports: [port(80, { nodePort })],
      })
      const pods = [2, 3, 4].map((last) => endpoint(`fd00:1::${last}`, { nodeName: 'n1' }))
      const meaning = serviceForwarding(
        { service: object, slices: [slice(name, pods, { addressType: 'IPv6' })], node: view },
        'IPv6',
      )
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    }
    const set = [named('spread', 'fd00:96::1', 30_001, 'None'), named('kept', 'fd00:96::2', 30_002, 'ClientIP')]
    await newBackend().sync({ full: true, set, delete: [], node: view })
    const client = `
      const { connect } = require('node:net')
      const one = () => new Promise((resolve) => {
        const socket = connect({ host: process.argv[1], port: Number(process.argv[2]) })
        let text = ''
        socket.on('data', (data) => { text += data })
        socket.on('close', () => resolve(text.split(' ')[0]))
        socket.on('error', () => {})
      })
      const all = async () => { for (let turn = 0; turn < 24; turn++) console.log(await one()) }
      all()`
    const reached = async (address: string, number: number): Promise<ReadonlySet<string>> => {
      const argv = ['ip', 'netns', 'exec', outside, process.execPath, '-e', client, address, String(number)] as const
      return new Set((await realExec(argv)).stdout.trim().split('\n'))
    }
    try {
      const everyPod = new Set(['fd00:1::2', 'fd00:1::3', 'fd00:1::4'])
      expect(await reached('fd00:96::1', 80)).toEqual(everyPod)
      const kept = await reached('fd00:96::2', 80)
      expect(kept.size).toBe(1)
      expect(everyPod).toContain([...kept][0])
      expect(await reached('fd00:a::1', 30_002)).toEqual(kept)
    } finally {
      for (const child of servers) {
        const exited = once(child, 'exit')
        child.kill()
        await exited
      }
    }
  })

  it('puts everything back when someone flushed the ruleset', async () => {
    const backend = newBackend()
    await backend.sync(full(web(...plan.pods)))
    await onNode(['nft', 'flush', 'ruleset'])
    const change = { full: false, set: [web(plan.pods[0] ?? '')], delete: [], node: plan.node }
    await expect(backend.sync(change)).rejects.toThrow('No such file or directory')
    await backend.sync(change)
    expect(await send(toWeb)).toMatchObject({ kind: 'reached', endpoint: `${plan.pods[0]}:${POD_PORT}` })
  })

  it('replaces a table of another shape, and leaves tables of others alone', async () => {
    await onNode(['nft', 'delete', 'table', 'ip', 'fairway-test'])
    await onNode(['nft', 'add', 'table', 'ip', 'someone-else'])
    await onNode(['nft', 'add', 'table', 'ip', 'fairway-test'])
    await onNode(['nft', 'add', 'set', 'ip', 'fairway-test', 'pods', '{ type mark ; }'])
    await newBackend().sync(full(web(...plan.pods)))
    expect((await send(toWeb)).kind).toBe('reached')
    expect(await nftText('list', 'tables')).toContain('table ip someone-else')
  })

  it('leaves nothing behind after cleanup, and cleans where nothing is', async () => {
    await newBackend().sync(full(web(...plan.pods)))
    await newBackend().cleanup()
    await newBackend().cleanup()
    expect(await nftText('list', 'tables')).not.toContain('fairway-test')
  })
})
