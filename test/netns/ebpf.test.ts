import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { createBpf } from '../../src/kernel/bpf/index.ts'
import { openTestCgroup, type TestCgroup } from '../../src/kernel/bpf/testing/index.ts'
import { type Forwarding, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { backendConformance } from '../../src/proxy/backend.conformance.ts'
import { ebpfLeftovers, probeEbpf } from '../../src/proxy/backends/ebpf/index.ts'
import { openBackend as openMode } from '../../src/proxy/index.ts'
import { type Holder, INSTANCE, openBackend, type Request, type Seen } from './ebpf-process.ts'
import { canOpenLab, type Lab, openLab, POD_PORT } from './lab.ts'

const libc = await loadLibc()
const canRun = canOpenLab && !('missing' in libc)
const FAMILIES = ['IPv4', 'IPv6'] as const
let lab: Lab
let cgroup: TestCgroup
let node: Helper
let pod: Helper

interface Helper {
  readonly pid: number
  ask(request: Request): Promise<unknown>
  kill(): Promise<void>
}

const file = fileURLToPath(new URL('ebpf-process.ts', import.meta.url))
const helpers: ChildProcess[] = []

const startHelper = async (namespace: string): Promise<Helper> => {
  const args = ['netns', 'exec', namespace, process.execPath, '--import', 'tsx', file]
  const child = spawn('ip', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  helpers.push(child)
  const exited = once(child, 'exit')
  await Promise.race([once(child, 'message'), exited.then(() => Promise.reject(new Error('a helper did not start')))])
  let id = 0
  return {
    pid: child.pid ?? 0,
    ask: (request) =>
      new Promise((resolve, reject) => {
        const mine = ++id
        const listen = (answer: { id: number; result?: unknown; error?: string }): void => {
          if (answer.id !== mine) return
          child.off('message', listen)
          if (answer.error === undefined) resolve(answer.result)
          else reject(new Error(answer.error))
        }
        child.on('message', listen)
        child.send({ id: mine, request })
      }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const holder = (): Holder => ({
  cgroup: cgroup.folder,
  namespace: lab.node.name,
  serviceCIDRs: ['10.96.0.0/16', 'fd00:96::/112'],
})
const newBackend = () => openBackend(holder())

/** What is attached, by hook. */
const attachedPrograms = async () => {
  if ('missing' in libc) return []
  const opened = await createBpf({ libc }).openCgroup(cgroup.folder)
  const hooks = [
    'connect4',
    'connect6',
    'sendmsg4',
    'sendmsg6',
    'recvmsg4',
    'recvmsg6',
    'getpeername4',
    'getpeername6',
    'sock_release',
  ] as const
  const found = hooks.flatMap((hook) => opened.attached(hook, INSTANCE).map(({ tag, mapIds }) => ({ hook, tag, mapIds })))
  opened.close()
  return found
}

const web = (family: IPFamily, pods: readonly string[], protocols: readonly ('TCP' | 'UDP')[] = ['TCP', 'UDP']): Forwarding => {
  const plan = lab.plan(family)
  const clusterIP = plan.clusterIP(0)
  const ports = protocols.map((protocol) => port(80, { name: protocol.toLowerCase(), protocol, nodePort: plan.nodePort }))
  const object = service('web', { type: 'NodePort', clusterIP, clusterIPs: [clusterIP], ports })
  const endpoints = pods.map((address) => endpoint(address, { nodeName: address.startsWith('10.1.2') ? 'n2' : 'n1' }))
  const slicePorts = protocols.map((protocol) => ({ port: POD_PORT, protocol, name: protocol.toLowerCase() }))
  const slices = [slice('web', endpoints, { addressType: family, ports: slicePorts })]
  const meaning = serviceForwarding({ service: object, slices, node: plan.node }, family)
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const full = (family: IPFamily, ...set: readonly Forwarding[]) => ({ full: true, set, delete: [], node: lab.plan(family).node })
const tcp = async (from: Helper, address: string, number: number, family?: IPFamily): Promise<Seen> =>
  (await from.ask({ op: 'tcp', to: { address, port: number }, ...(family === undefined ? {} : { family }) })) as Seen
const udp = async (
  from: Helper,
  address: string,
  number: number,
  rest: { isConnected: boolean; times?: number; family?: IPFamily },
) => (await from.ask({ op: 'udp', to: { address, port: number }, times: 1, ...rest })) as Seen

// Without root there are neither namespaces nor programs to make, without koffi no bpf(2); the fakes run the same suite in src/proxy/backends/ebpf.
describe.skipIf(!canRun)('ebpf proxy between network namespaces', () => {
  beforeAll(async () => {
    lab = await openLab('fe')
    cgroup = await openTestCgroup()
    for (const family of FAMILIES) {
      const { pods, sources } = lab.plan(family)
      for (const address of [...pods, sources.pod, sources.node]) await cgroup.add(lab.agentAt(address).pid)
    }
    node = await startHelper(lab.node.name)
    pod = await startHelper(lab.agentAt(lab.plan('IPv4').sources.pod).namespace)
    for (const { pid } of [node, pod]) await cgroup.add(pid)
  })
  afterAll(async () => {
    for (const child of helpers) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await lab?.close()
    await cgroup?.close()
  })

  for (const family of FAMILIES) {
    backendConformance(`ebpf in namespaces, ${family}`, async () => ({
      backend: await newBackend(),
      plan: lab.plan(family),
      send: (packet) => lab.send(packet),
      close: async () => {},
    }))
  }

  it('says on what it runs, and why it cannot where it cannot', async () => {
    if ('missing' in libc) return
    expect(await probeEbpf({ libc, cgroup: cgroup.folder })).toEqual({
      usable: expect.stringContaining(`cgroup v2 at ${cgroup.folder}`),
    })
    expect(await probeEbpf({ libc, cgroup: '/there/is/none' })).toEqual({ refusal: expect.stringContaining('/there/is/none') })
    expect(await probeEbpf({ libc: { missing: 'koffi cannot be loaded' } })).toEqual({
      refusal: expect.stringContaining('koffi'),
    })
  })

  it.each(FAMILIES)('shows sockets the Service, not the endpoint, %s', async (family) => {
    const { pods, clusterIP } = lab.plan(family)
    await (await newBackend()).sync(full(family, web(family, pods)))
    const asked = `${clusterIP(0)}:80`
    for (const from of [node, pod]) {
      const seen = await tcp(from, clusterIP(0), 80)
      expect(pods.map((address) => `${address}:${POD_PORT}`)).toContain(seen.endpoints[0])
      expect(seen.peers).toEqual([asked])
      for (const isConnected of [true, false]) {
        const { endpoints, peers } = await udp(from, clusterIP(0), 80, { isConnected, times: 8 })
        expect(new Set(peers)).toEqual(new Set([asked]))
        expect(new Set(endpoints).size).toBe(1)
      }
    }
  })

  it('leads dual-stack sockets that ask for IPv4', async () => {
    const { pods, clusterIP } = lab.plan('IPv4')
    await (await newBackend()).sync(full('IPv4', web('IPv4', pods)))
    const asked = `::ffff:${clusterIP(0)}:80`
    expect((await tcp(pod, clusterIP(0), 80, 'IPv6')).peers).toEqual([asked])
    for (const isConnected of [true, false]) {
      expect(new Set((await udp(pod, clusterIP(0), 80, { isConnected, family: 'IPv6' })).peers)).toEqual(new Set([asked]))
    }
  })

  it("knows the node's pods by their links and addresses, and no other namespaces", async () => {
    if ('missing' in libc) return
    const found = await createBpf({ libc, namespace: lab.node.path }).linkedNamespaces()
    const addresses = found.map((each) => each.addresses)
    const { pods, awayPods = [], sources } = lab.plan('IPv4')
    for (const address of [...pods, sources.pod]) expect(addresses).toContainEqual(expect.arrayContaining([address]))
    for (const address of [...awayPods, sources.node]) expect(addresses.flat()).not.toContain(address)
    expect(new Set(found.map(({ cookie }) => cookie)).size).toBe(found.length)
  })

  it('needs no rules for processes of the node and its pods, and leaves others to them', async () => {
    const { pods, clusterIP, sources } = lab.plan('IPv4')
    await (await newBackend()).sync(full('IPv4', web('IPv4', pods)))
    for (const family of ['ip', 'ip6']) await lab.node.exec(['nft', 'delete', 'table', family, 'fairway-test'])
    for (const from of [node, pod]) expect((await tcp(from, clusterIP(0), 80)).endpoints).toHaveLength(1)
    const stranger = await startHelper(lab.agentAt(sources.outside).namespace)
    await cgroup.add(stranger.pid)
    const withoutRules = udp(stranger, clusterIP(0), 80, { isConnected: true })
    await expect(withoutRules).rejects.toThrow(/Abort|EHOSTUNREACH|ENETUNREACH/)
    await (await newBackend()).sync(full('IPv4', web('IPv4', pods)))
    expect((await tcp(stranger, clusterIP(0), 80)).endpoints).toHaveLength(1)
    await stranger.kill()
  })

  it.each(FAMILIES)('serves NodePorts at localhost and every address of the node for its processes, %s', async (family) => {
    const { pods, nodePort, node: view } = lab.plan(family)
    await (await newBackend()).sync(full(family, web(family, pods)))
    const localhost = family === 'IPv4' ? '127.0.0.1' : '::1'
    for (const address of [localhost, ...view.addresses]) {
      expect((await tcp(node, address, nodePort)).peers).toEqual([`${address}:${nodePort}`])
      expect((await udp(node, address, nodePort, { isConnected: false })).endpoints).toHaveLength(1)
    }
    await expect(tcp(pod, localhost, nodePort)).rejects.toThrow('ECONNREFUSED')
  })

  it('goes on without its process, and the next takes over what it left', async () => {
    const { pods, clusterIP } = lab.plan('IPv4')
    const [first = '', second = ''] = pods
    const killed = await startHelper(lab.node.name)
    await killed.ask({ op: 'sync', change: full('IPv4', web('IPv4', [first])), holder: holder() })
    await killed.kill()
    for (const from of [node, pod]) expect((await tcp(from, clusterIP(0), 80)).endpoints).toEqual([`${first}:${POD_PORT}`])
    const before = await attachedPrograms()
    expect(before).toHaveLength(9)
    const next = await newBackend()
    await next.sync(full('IPv4', web('IPv4', [second])))
    expect(await attachedPrograms()).toEqual(before)
    for (const from of [node, pod]) expect((await tcp(from, clusterIP(0), 80)).endpoints).toEqual([`${second}:${POD_PORT}`])
  })

  it.each(FAMILIES)('ends UDP sockets that a Service led to an endpoint which is gone, and no others, %s', async (family) => {
    if ('missing' in libc) return
    const { pods, clusterIP, sources } = lab.plan(family)
    const [first = '', second = ''] = pods
    await (await newBackend()).cleanup()
    // As `fairway proxy --proxy-mode ebpf` makes it: it looks into every network namespace of the machine.
    const { mode, backend } = await openMode('ebpf', {
      exec: (argv, options) => lab.node.exec(argv, options),
      libc,
      namespace: lab.node.path,
      serviceCIDRs: holder().serviceCIDRs,
      tableName: 'fairway-test',
      clock: realClock,
      log: silentLogger,
      ebpf: { cgroup: cgroup.folder },
    })
    expect(mode).toBe('ebpf')
    await backend.sync(full(family, web(family, [first], ['UDP'])))
    for (const namespace of [lab.node.name, lab.agentAt(sources.pod).namespace]) {
      const client = await startHelper(namespace)
      await cgroup.add(client.pid)
      await client.ask({ op: 'hold', to: { address: clusterIP(0), port: 80 } })
      await client.ask({ op: 'hold', to: { address: first, port: POD_PORT } })
      expect(await client.ask({ op: 'poke' })).toEqual(['answered', 'answered'])
      await backend.sync(full(family, web(family, [second], ['UDP'])))
      expect(await client.ask({ op: 'poke' })).toEqual(['ECONNABORTED', 'answered'])
      await client.kill()
      await backend.sync(full(family, web(family, [first], ['UDP'])))
    }
    await backend.cleanup()
  })

  it('tells and repairs what others changed', async () => {
    if ('missing' in libc) return
    const { pods, clusterIP } = lab.plan('IPv4')
    const backend = await newBackend()
    await backend.sync(full('IPv4', web('IPv4', pods, ['TCP'])))
    expect(await backend.audit()).toEqual([])
    const bpf = createBpf({ libc })
    const opened = await bpf.openCgroup(cgroup.folder)
    for (const program of opened.attached('connect4', INSTANCE)) {
      const frontends = program.mapIds.map((id) => bpf.openMap(id)).find((map) => map?.spec.name === 'fw_frontends')
      frontends?.delete([...frontends.read().keys()])
      opened.detach('connect4', program)
    }
    opened.close()
    await expect(tcp(node, '127.0.0.1', lab.plan('IPv4').nodePort)).rejects.toThrow('ECONNREFUSED')
    const drift = (await backend.audit()).map(({ kind, what }) => `${kind} ${what}`)
    expect(drift).toContainEqual(
      expect.stringMatching(
        /^missing element 10\.96\.0\.10 \. tcp \. 80 : port \d+, node cluster, pods cluster, 3 cluster .*, 0 local of map fw_frontends$/,
      ),
    )
    expect(drift).toContainEqual(expect.stringMatching(/^missing program fairway_lab at connect4 of /))
    expect(await backend.audit()).toEqual([])
    expect((await tcp(node, clusterIP(0), 80)).endpoints).toHaveLength(1)
  })

  it('leaves nothing behind after cleanup, also of another process, and cleans where nothing is', async () => {
    if ('missing' in libc) return
    await (await newBackend()).sync(full('IPv4', web('IPv4', lab.plan('IPv4').pods)))
    const options = { bpf: createBpf({ libc }), cgroup: cgroup.folder, instance: INSTANCE }
    expect(await ebpfLeftovers(options)).toHaveLength(9)
    await (await newBackend()).cleanup()
    await (await newBackend()).cleanup()
    expect(await ebpfLeftovers(options)).toEqual([])
    expect((await lab.node.exec(['nft', 'list', 'tables'])).stdout).not.toContain('fairway-test')
  })
})
