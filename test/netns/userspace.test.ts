import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aborted } from '../../src/base/index.ts'
import type { Packet } from '../../src/model/index.ts'
import { type AddressPlan, backendConformance, type Outcome } from '../../src/proxy/backend.conformance.ts'
import type { Backend } from '../../src/proxy/index.ts'
import type { Request } from './userspace-agent.ts'

const exec = promisify(execFile)
const isRoot = process.getuid?.() === 0
const tag = `fw${process.pid % 100_000}`
const agentFile = fileURLToPath(new URL('userspace-agent.ts', import.meta.url))
const SERVICE_CIDR = '10.96.0.0/16'
const POD_PORT = 8080
/** Pods with servers, then one that is only a client. */
const PODS = ['10.1.1.2', '10.1.1.3', '10.1.1.4', '10.1.1.5']
const NODE = '198.51.100.1'
const OUTSIDE = '198.51.100.9'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

interface Agent {
  readonly child: ChildProcess
  ask(request: Request): Promise<unknown>
}

/** Namespaces by the address that packets leave from. */
const agents = new Map<string, Agent>()
const namespaces = { node: `${tag}-n`, outside: `${tag}-o`, pod: (index: number) => `${tag}-p${index}` }

const inside = (namespace: string, ...args: readonly string[]) => exec('ip', ['-n', namespace, ...args])

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
    await exec('ip', ['netns', 'add', name])
    await inside(name, 'link', 'set', 'lo', 'up')
  }
  await inside(node, 'link', 'add', 'br0', 'type', 'bridge')
  await inside(node, 'addr', 'add', '10.1.1.1/24', 'dev', 'br0')
  await inside(node, 'link', 'set', 'br0', 'up')
  for (const [index, address] of PODS.entries()) {
    await inside(node, 'link', 'add', `p${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod(index))
    await inside(node, 'link', 'set', `p${index}`, 'master', 'br0', 'up')
    await inside(pod(index), 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await inside(pod(index), 'link', 'set', 'eth0', 'up')
    await inside(pod(index), 'route', 'add', 'default', 'via', '10.1.1.1')
  }
  await inside(node, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside)
  for (const [name, address] of [
    [node, NODE],
    [outside, OUTSIDE],
  ] as const) {
    await inside(name, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await inside(name, 'link', 'set', 'eth0', 'up')
  }
  await inside(outside, 'route', 'add', 'default', 'via', NODE)
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
    await exec('ip', ['netns', 'del', name]).catch(() => {})
  }
}

const agentAt = (address: string): Agent => {
  const agent = agents.get(address)
  if (agent === undefined) throw new Error(`no namespace has ${address}`)
  return agent
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

/** The backend in the node's namespace, behind the same contract. */
const remoteBackend = (): Backend => {
  const ask = (request: Request): Promise<unknown> => agentAt(NODE).ask(request)
  return {
    mode: 'userspace',
    supports: new Set(['IPv6', 'Substitutes']),
    async start(signal) {
      await ask({ op: 'start', serviceCIDRs: [SERVICE_CIDR] })
      return { stopped: aborted(signal).then(async () => void (await ask({ op: 'stop' }))) }
    },
    sync: async (change) => void (await ask({ op: 'sync', change })),
    exceptions: () => [],
    cleanup: async () => {},
  }
}

// Without root there are no namespaces to make; loopback carries the same suite in src/proxy/backends/userspace.
describe.skipIf(!isRoot)('userspace proxy between network namespaces', () => {
  beforeAll(build)
  afterAll(tearDown)

  backendConformance('userspace in namespaces', async () => ({
    backend: remoteBackend(),
    plan,
    send: async (packet: Packet) => (await agentAt(packet.source.address).ask({ op: 'send', packet })) as Outcome,
    close: async () => {},
  }))

  it('leaves no local route behind when it stops', async () => {
    const { stdout } = await inside(namespaces.node, 'route', 'show', 'table', 'local')
    expect(stdout).not.toMatch(/10\.96\.|203\.0\.113|192\.0\.2\.200/)
  })
})
