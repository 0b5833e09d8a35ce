import { describe, expect, it } from 'vitest'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { fakeBpf } from '../../../kernel/bpf/testing/index.ts'
import { fakeNft } from '../../../kernel/nft/testing/index.ts'
import type { NodeView, Packet } from '../../../model/index.ts'
import { backendConformance } from '../../backend.conformance.ts'
import type { FrontendStatus } from '../../backend.ts'
import { createNftablesBackend } from '../nftables/index.ts'
import { createEbpfBackend, ebpfLeftovers, type RemovedEndpoint } from './index.ts'
import { at, loneMachine, NODE_COOKIE, node, socketWorld, web } from './testing/index.ts'

const serviceCIDRs = ['10.96.0.0/16', 'fd00:96::/112']
const PLANS = {
  IPv4: {
    node,
    clusterIP: (index: number) => `10.96.0.${index + 10}`,
    externalIP: '198.51.100.1',
    vip: '203.0.113.1',
    pods: ['10.1.1.1', '10.1.1.2', '10.1.1.3'],
    sources: { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.9' },
  },
  IPv6: {
    node: { name: 'n1', addresses: ['2001:db8::1'], podCIDRs: ['fd00:1::/64'], nodePortAddresses: ['2001:db8::1'] },
    clusterIP: (index: number) => `fd00:96::${index + 10}`,
    externalIP: 'fd00:e::1',
    vip: 'fd00:f::1',
    pods: ['fd00:1::1', 'fd00:1::2', 'fd00:1::3'],
    sources: { pod: 'fd00:1::9', node: '2001:db8::1', outside: 'fd00:a::9' },
  },
} as const

for (const family of ['IPv4', 'IPv6'] as const) {
  const plan = PLANS[family]
  backendConformance(`ebpf on the fakes, ${family}`, async () => {
    const bpf = fakeBpf({ cookie: NODE_COOKIE })
    const nft = fakeNft()
    const world = socketWorld({ bpf, nft, pods: [...plan.pods, plan.sources.pod] })
    return {
      backend: createEbpfBackend({ bpf, inner: createNftablesBackend({ nft, serviceCIDRs }) }),
      plan: { ...plan, nodePort: 30_080, endpointPort: 8_080 },
      send: async (packet) => world.send(packet, plan.node satisfies NodeView),
      close: async () => {},
    }
  })
}

const PODS = ['10.1.1.1', '10.1.1.2', '10.1.1.3']
const VIP = at('10.96.0.10')
const KEY = 'IPv4 default/web'

describe('what the maps are told', () => {
  it('is a handful of elements for one endpoint, whatever the number of endpoints, and nothing for the same again', async () => {
    const machine = loneMachine()
    const pods = Array.from({ length: 200 }, (_, index) => `10.1.1.${index + 1}`)
    await machine.sync([web(pods)], { full: true })
    expect(await machine.writesOf(() => machine.sync([web(pods)]))).toBe(0)
    // The last endpoint takes the slot of the first; its own slot and the count.
    expect(await machine.writesOf(() => machine.sync([web(pods.slice(1))]))).toBe(3)
    // A slot and the count.
    expect(await machine.writesOf(() => machine.sync([web(pods)]))).toBe(2)
  })
  it('changes nothing when the next process finds everything in place, and clients keep their endpoint', async () => {
    const machine = loneMachine()
    const sticky = web(PODS, { spec: { sessionAffinity: 'ClientIP' } })
    await machine.sync([web(PODS, { name: 'api', index: 11 }), sticky], { full: true })
    const { address } = machine.socket('TCP').connect(VIP)
    machine.bpf.crash()
    const next = machine.another()
    // In another order: numbers are found again by the frontends.
    const change = { full: true, set: [sticky, web(PODS, { name: 'api', index: 11 })], delete: [], node }
    expect(await machine.writesOf(() => next.sync(change))).toBe(0)
    for (let turn = 0; turn < 8; turn++) expect(machine.socket('TCP').connect(VIP).address).toBe(address)
  })
  it('is put right by the next change after one that failed at any point', async () => {
    for (let failAfter = 0; failAfter < 12; failAfter++) {
      const machine = loneMachine()
      await machine.sync([web(PODS, { protocols: ['UDP'] })], { full: true })
      machine.bpf.failAfter(failAfter)
      const change = [web(PODS.slice(1), { protocols: ['UDP'] })]
      await machine.sync(change).then(
        () => {},
        () => machine.sync(change),
      )
      machine.bpf.failAfter(undefined)
      expect(await machine.backend.audit()).toEqual([])
      expect(PODS.slice(1)).toContain(machine.socket('UDP').connect(VIP).address)
    }
  })
  it('goes to the backend beneath all the same when the kernel refuses', async () => {
    const machine = loneMachine()
    machine.bpf.failAfter(0)
    await expect(machine.sync([web(PODS)], { full: true })).rejects.toMatchObject({ code: 'EIO' })
    expect(machine.inner.carried.has(KEY)).toBe(true)
  })
})

describe('programs', () => {
  it('stay when the mode stops, beside those of others, until cleanup', async () => {
    const machine = loneMachine()
    const stop = new AbortController()
    const { stopped } = await machine.backend.start(stop.signal, () => {})
    await machine.sync([web(PODS)], { full: true })
    const other = machine.another({ instance: 'another' })
    await other.sync({ full: true, set: [], delete: [], node })
    stop.abort()
    await stopped
    expect(machine.socket('TCP').connect(VIP)).not.toEqual(VIP)
    expect(await ebpfLeftovers({ bpf: machine.bpf })).toContain('program fairway at connect4 of the fake cgroup')
    await machine.another().cleanup()
    expect(machine.socket('TCP').connect(VIP)).toEqual(VIP)
    expect(await ebpfLeftovers({ bpf: machine.bpf })).toEqual([])
    expect(await ebpfLeftovers({ bpf: machine.bpf, instance: 'another' })).toHaveLength(9)
    await machine.another().cleanup()
  })
  it('take the place of those of other limits in one step', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    machine.bpf.crash()
    const maps = machine.bpf.maps.size
    const next = machine.another({ limits: { frontends: 100, endpoints: 100 } })
    await next.sync({ full: true, set: [web(PODS)], delete: [], node })
    expect(await ebpfLeftovers({ bpf: machine.bpf })).toHaveLength(9)
    expect(machine.bpf.maps.size).toBe(maps)
    expect(machine.socket('TCP').connect(VIP)).not.toEqual(VIP)
  })
  it('are not started where another keeps a hook for itself, and the reason says which', async () => {
    const machine = loneMachine({ exclusive: ['connect6'] })
    await expect(machine.backend.start(new AbortController().signal, () => {})).rejects.toThrow(
      'ebpf: another program keeps connect6 of the fake cgroup for itself',
    )
  })
})

describe('audit', () => {
  it('names and repairs elements that others changed, and programs that are gone', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    expect(await machine.backend.audit()).toEqual([])
    const mapOf = (name: string) => [...machine.bpf.maps.values()].find(({ spec }) => spec.name === name)
    mapOf('fw_frontends')?.delete([...(mapOf('fw_frontends')?.read().keys() ?? [])][0] ?? '')
    mapOf('fw_slots')?.update('\x09\0\0\0\0\0\0\0', Buffer.alloc(20, 1))
    machine.bpf.detachAll()
    const drift = await machine.backend.audit()
    expect(drift).toContainEqual({
      kind: 'missing',
      what: 'element 10.96.0.10 . tcp . 80 : port 0, node cluster, pods cluster, 3 cluster 10.1.1.1 . 8080 10.1.1.2 . 8080 10.1.1.3 . 8080, 0 local of map fw_frontends',
      key: KEY,
    })
    expect(drift).toContainEqual({
      kind: 'foreign',
      what: 'element 9 . 0 : 101:101:101:101:101:101:101:101 . 257 of map fw_slots',
    })
    expect(drift).toContainEqual({ kind: 'missing', what: 'program fairway at connect4 of the fake cgroup' })
    expect(await machine.backend.audit()).toEqual([])
    expect(machine.socket('TCP').connect(VIP)).not.toEqual(VIP)
  })
  it('tells what the backend beneath found too', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    machine.inner.damage(KEY)
    expect(await machine.backend.audit()).toEqual([{ kind: 'missing', what: `everything of ${KEY}`, key: KEY }])
  })
})

describe('trace', () => {
  const packet = (sourceClass: 'pod' | 'node' | 'outside'): Packet => ({
    source: { class: sourceClass, address: '192.0.2.9' },
    destination: VIP,
    protocol: 'TCP',
  })
  it('prints what a socket meets, and what the backend beneath says of the rest', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS.slice(0, 2))], { full: true })
    const lines = [
      'program connect4 of fairway',
      'map fw_frontends: 10.96.0.10 . tcp . 80 : port 0, node cluster, pods cluster, 2 cluster 10.1.1.1 . 8080 10.1.1.2 . 8080, 0 local',
    ]
    expect(machine.backend.trace(packet('node'))).toEqual(lines)
    expect(machine.backend.trace(packet('pod'))).toEqual(lines)
    expect(machine.backend.trace(packet('outside'))).toEqual([`forwarding ${KEY}`])
    await machine.sync([web([])])
    expect(machine.backend.trace(packet('node'))).toEqual([`forwarding ${KEY}`])
  })
})

describe('full maps', () => {
  const limits = { frontends: 20, endpoints: 10 }
  // Too many to lie in their frontends.
  const six = [...PODS, '10.1.1.4', '10.1.1.5', '10.1.1.6']
  it('leave a Service to the backend beneath and say so, until there is room', async () => {
    const machine = loneMachine({ limits })
    const told: FrontendStatus[] = []
    await machine.backend.start(new AbortController().signal, (status) => told.push(status))
    const api = (pods: readonly string[]) => web(pods, { name: 'api', index: 11 })
    await machine.sync([web(six), api(six)], { full: true })
    expect(machine.socket('TCP').connect(VIP)).not.toEqual(VIP)
    expect(machine.socket('TCP').connect(at('10.96.0.11'))).toEqual(at('10.96.0.11'))
    expect(told).toEqual([
      expect.objectContaining({ key: 'IPv4 default/api', address: '10.96.0.11', state: 'failed', code: 'E2BIG' }),
    ])
    expect(machine.backend.exceptions()).toEqual(told)
    await machine.sync([web(PODS.slice(2))])
    expect(machine.socket('TCP').connect(at('10.96.0.11'))).not.toEqual(at('10.96.0.11'))
    expect(told.at(-1)).toMatchObject({ key: 'IPv4 default/api', state: 'serving' })
    expect(machine.backend.exceptions()).toEqual([])
  })
  it('forget what is no longer wanted', async () => {
    const machine = loneMachine({ limits })
    const told: FrontendStatus[] = []
    await machine.backend.start(new AbortController().signal, (status) => told.push(status))
    await machine.sync([web(six), web(six, { name: 'api', index: 11 })], { full: true })
    await machine.sync([], { gone: ['IPv4 default/api'] })
    expect(told.at(-1)).toMatchObject({ key: 'IPv4 default/api', state: 'gone' })
  })
})

describe('sockets of a removed UDP endpoint', () => {
  const udp = (pods: readonly string[], rest: { name?: string; index?: number } = {}) =>
    web(pods, { protocols: ['UDP'], ...rest })
  const removed = (address: string) => expect.objectContaining({ address, port: 8080, protocol: 'UDP' })
  const freeing = () => {
    const freed: RemovedEndpoint[] = []
    const failures: Error[] = []
    const freeSockets = async (endpoint: RemovedEndpoint): Promise<void> => {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      freed.push(endpoint)
    }
    return { freed, failures, freeSockets }
  }

  it('are freed when no Service has it any longer, and never those of TCP', async () => {
    const { freed, freeSockets } = freeing()
    const machine = loneMachine({ freeSockets })
    await machine.sync([udp(PODS), udp(PODS.slice(0, 2), { name: 'dns', index: 11 }), web(PODS, { name: 'tcp', index: 12 })], {
      full: true,
    })
    await machine.sync([udp(PODS.slice(1))])
    expect(freed).toEqual([])
    await machine.sync([udp(PODS.slice(1, 2)), udp([], { name: 'dns', index: 11 }), web([], { name: 'tcp', index: 12 })])
    expect(freed).toEqual(expect.arrayContaining([removed('10.1.1.1'), removed('10.1.1.3')]))
    expect(freed).toHaveLength(2)
  })
  it('are freed also when the endpoint went while no process ran', async () => {
    const { freed, freeSockets } = freeing()
    const machine = loneMachine({ freeSockets })
    await machine.sync([udp(PODS)], { full: true })
    machine.bpf.crash()
    await machine.another().sync({ full: true, set: [udp(PODS.slice(1))], delete: [], node })
    expect(freed).toEqual([removed('10.1.1.1')])
  })
  it('are tried again when freeing failed, unless the endpoint came back', async () => {
    const { freed, failures, freeSockets } = freeing()
    const machine = loneMachine({ freeSockets })
    await machine.sync([udp(PODS)], { full: true })
    failures.push(new Error('sock_diag: EPERM'), new Error('sock_diag: EPERM'))
    await expect(machine.sync([udp(PODS.slice(2))])).rejects.toThrow('EPERM')
    await machine.sync([udp(PODS.slice(1))])
    expect(freed).toEqual([removed('10.1.1.1')])
  })
  it('are told apart from those that asked for the endpoint itself, or are no longer connected to it', async () => {
    const { freed, freeSockets } = freeing()
    const machine = loneMachine({ freeSockets })
    await machine.sync([udp(PODS.slice(0, 1))], { full: true })
    const [served, direct, moved, ended, family6] = Array.from({ length: 5 }, (_, index) =>
      machine.socket('UDP', index === 4 ? { family: 'IPv6' } : {}),
    )
    for (const socket of [served, moved, ended, family6]) socket?.connect(VIP)
    direct?.connect(at('10.1.1.1', 8080))
    moved?.connect(at('10.1.1.1', 8080))
    ended?.close()
    await machine.sync([udp(PODS.slice(1))])
    const isServed = (socket: typeof served): boolean | undefined => freed[0]?.isServed(socket?.id ?? 0n)
    expect([served, family6].map(isServed)).toEqual([true, true])
    expect([direct, moved, ended].map(isServed)).toEqual([false, false, false])
  })
})

describe('pods', () => {
  it('are found by a look now and then, until the mode stops', async () => {
    const clock = pausedClock()
    const machine = loneMachine({ clock })
    const stop = new AbortController()
    const { stopped } = await machine.backend.start(stop.signal, () => {})
    await machine.sync([web(PODS)], { full: true })
    const connect = (cookie: bigint) => machine.socket('TCP', { cookie }).connect(VIP)
    machine.bpf.addNamespace({ cookie: 9_000n, addresses: ['10.1.1.7'] })
    expect(connect(9_000n)).toEqual(VIP)
    await clock.advance(10_000)
    expect(connect(9_000n)).not.toEqual(VIP)
    stop.abort()
    await stopped
    machine.bpf.addNamespace({ cookie: 9_001n, addresses: ['10.1.1.8'] })
    await clock.advance(60_000)
    expect(connect(9_001n)).toEqual(VIP)
  })
})
