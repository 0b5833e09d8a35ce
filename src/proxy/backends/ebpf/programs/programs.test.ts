import { describe, expect, it } from 'vitest'
import { at, loneMachine, NODE_COOKIE, node, POD_COOKIE, STRANGER_COOKIE, web } from '../testing/index.ts'

const PODS = ['10.1.1.1', '10.1.1.2', '10.1.1.3']
const VIP = at('10.96.0.10')

/** With each random number in turn. */
const counting = () => {
  let next = 0
  return () => next++ / 2 ** 32
}

describe('connect', () => {
  it.each([1, 3, 5, 6, 40])('chooses every one of %d endpoints, and shows the Service as peer', async (count) => {
    const machine = loneMachine({ random: counting() })
    const pods = Array.from({ length: count }, (_, index) => `10.1.1.${index + 1}`)
    await machine.sync([web(pods)], { full: true })
    const reached = pods.map(() => {
      const socket = machine.socket('TCP')
      const { address, port } = socket.connect(VIP)
      expect(port).toBe(8080)
      expect(socket.peerName()).toEqual(VIP)
      return address
    })
    expect(reached.sort()).toEqual(pods.sort())
  })
  it.each(['UDP', 'TCP'] as const)(
    'finds %s endpoints while a set grows over what its frontend holds, and shrinks again',
    async (protocol) => {
      const machine = loneMachine({ random: counting() })
      const pods = Array.from({ length: 8 }, (_, index) => `10.1.1.${index + 1}`)
      for (const [index, count] of [4, 5, 6, 8, 6, 5, 1].entries()) {
        await machine.sync([web(pods.slice(0, count), { protocols: [protocol] })], { full: index === 0 })
        const reached = new Set(Array.from({ length: count * 2 }, () => machine.socket(protocol).connect(VIP).address))
        expect([...reached].sort()).toEqual(pods.slice(0, count))
      }
    },
  )
  it('leaves what is no frontend as it is', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    for (const peer of [at('10.96.0.10', 81), at('10.96.0.11'), at('198.51.100.7'), at('127.0.0.1')]) {
      const socket = machine.socket('TCP')
      expect(socket.connect(peer)).toEqual(peer)
      expect(socket.peerName()).toEqual(peer)
    }
    expect(machine.socket('UDP').connect(VIP)).toEqual(VIP)
  })
  it('takes an IPv4 address from a dual-stack socket', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS.slice(0, 1))], { full: true })
    const socket = machine.socket('TCP', { family: 'IPv6' })
    expect(socket.connect(VIP)).toEqual(at('10.1.1.1', 8080))
    expect(socket.peerName()).toEqual(VIP)
  })
  it('forgets the Service when the socket connects to its endpoint by itself', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS.slice(0, 1), { protocols: ['UDP'] })], { full: true })
    const socket = machine.socket('UDP')
    const endpoint = socket.connect(VIP)
    expect(socket.peerName()).toEqual(VIP)
    socket.connect(endpoint)
    expect(socket.peerName()).toEqual(endpoint)
  })
  it('keeps a client at its endpoint until it was away for the timeout', async () => {
    let now = 1_000_000_000_000n
    const machine = loneMachine({ random: counting(), now: () => now })
    const sticky = { sessionAffinity: 'ClientIP' as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: 30 } } }
    await machine.sync([web(PODS, { spec: sticky })], { full: true })
    const reach = (cookie?: bigint) => machine.socket('TCP', cookie === undefined ? {} : { cookie }).connect(VIP).address
    const first = reach()
    for (let turn = 0; turn < 4; turn++) {
      now += 29_000_000_000n
      expect(reach()).toBe(first)
    }
    now += 31_000_000_000n
    expect(reach()).not.toBe(first)
    const pod = reach(POD_COOKIE)
    expect(reach(POD_COOKIE)).toBe(pod)
  })
})

describe('datagrams of an unconnected socket', () => {
  it('stay at one endpoint as long as it is one', async () => {
    const machine = loneMachine({ random: counting() })
    await machine.sync([web(PODS, { protocols: ['UDP'] })], { full: true })
    const socket = machine.socket('UDP')
    const first = socket.sendTo(VIP)
    for (let turn = 0; turn < 5; turn++) expect(socket.sendTo(VIP)).toEqual(first)
    await machine.sync([
      web(
        PODS.filter((each) => each !== first.address),
        { protocols: ['UDP'] },
      ),
    ])
    const second = socket.sendTo(VIP)
    expect(second.address).not.toBe(first.address)
    expect(socket.sendTo(VIP)).toEqual(second)
    expect(socket.receiveFrom(second)).toEqual(VIP)
  })
  it('come back from the Service that they went to, for eight Services a socket', async () => {
    const machine = loneMachine()
    const many = Array.from({ length: 9 }, (_, index) =>
      web([`10.1.1.${index + 1}`], { name: `s${index}`, index: 20 + index, protocols: ['UDP'] }),
    )
    await machine.sync(many, { full: true })
    const socket = machine.socket('UDP')
    const sent = many.map(({ clusterIP }) => ({ service: at(clusterIP), endpoint: socket.sendTo(at(clusterIP)) }))
    const [oldest, ...rest] = sent
    for (const { service, endpoint } of rest) expect(socket.receiveFrom(endpoint)).toEqual(service)
    expect(socket.receiveFrom(oldest?.endpoint ?? VIP)).toEqual(oldest?.endpoint)
    expect(socket.receiveFrom(at('10.1.1.99', 53))).toEqual(at('10.1.1.99', 53))
  })
})

describe('NodePorts', () => {
  const spec = { type: 'NodePort' as const }
  const nodePort = { nodePort: 30_080 }
  const served = (address: string) => at(address, 30_080)

  it('are served at localhost and every address of the node for its processes, at NodePort addresses for others', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS.slice(0, 1), { spec, port: nodePort })], { full: true })
    const endpoint = at('10.1.1.1', 8080)
    for (const address of ['127.0.0.1', ...node.addresses])
      expect(machine.socket('TCP').connect(served(address))).toEqual(endpoint)
    const connect = (address: string) => machine.socket('TCP', { cookie: POD_COOKIE }).connect(served(address))
    expect(connect('192.0.2.1')).toEqual(endpoint)
    for (const address of ['127.0.0.1', '10.1.1.254']) expect(connect(address)).toEqual(served(address))
  })
  it('give way to an external address of the node with the same port, where no NodePort is served to others', async () => {
    const machine = loneMachine()
    const byPort = web(['10.1.1.1'], { spec, port: nodePort })
    const byAddress = web(['10.1.1.2'], {
      name: 'api',
      index: 11,
      spec: { externalIPs: ['10.1.1.254'], externalTrafficPolicy: 'Cluster' },
    })
    const moved = {
      ...byAddress,
      ports: byAddress.ports.map((port) => ({
        ...port,
        frontends: port.frontends.map((each) => (each.kind === 'ExternalIP' ? { ...each, port: 30_080 } : each)),
      })),
    }
    await machine.sync([moved, byPort], { full: true })
    expect(machine.socket('TCP').connect(served('10.1.1.254')).address).toBe('10.1.1.2')
    expect(machine.socket('TCP').connect(served('127.0.0.1')).address).toBe('10.1.1.1')
    await machine.sync([], { gone: [moved.key] })
    expect(machine.socket('TCP').connect(served('10.1.1.254')).address).toBe('10.1.1.1')
  })
})

describe('what is left to the backend beneath', () => {
  const sticky = { sessionAffinity: 'ClientIP' as const }
  const connect = (machine: ReturnType<typeof loneMachine>, cookie: bigint, peer = VIP) =>
    machine.socket('TCP', { cookie }).connect(peer)

  it('is a namespace that is no pod of this node, until it is', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    expect(connect(machine, POD_COOKIE)).not.toEqual(VIP)
    expect(connect(machine, STRANGER_COOKIE)).toEqual(VIP)
    machine.bpf.addNamespace({ cookie: 9_000n, addresses: ['10.1.1.7'] })
    expect(connect(machine, 9_000n)).toEqual(VIP)
    await machine.backend.audit()
    expect(connect(machine, 9_000n)).not.toEqual(VIP)
  })
  it('is a VIP with source ranges', async () => {
    const machine = loneMachine()
    const spec = { type: 'LoadBalancer' as const, loadBalancerSourceRanges: ['0.0.0.0/0'] }
    await machine.sync([web(PODS, { spec, vip: '203.0.113.1' })], { full: true })
    expect(connect(machine, NODE_COOKIE, at('203.0.113.1'))).toEqual(at('203.0.113.1'))
    expect(connect(machine, NODE_COOKIE)).not.toEqual(VIP)
  })
  it('is the whole port with session affinity, where one of its frontends is', async () => {
    const machine = loneMachine()
    const spec = { type: 'LoadBalancer' as const, loadBalancerSourceRanges: ['0.0.0.0/0'], ...sticky }
    await machine.sync([web(PODS, { spec, vip: '203.0.113.1', port: { nodePort: 30_080 } })], { full: true })
    for (const cookie of [NODE_COOKIE, POD_COOKIE]) expect(connect(machine, cookie)).toEqual(VIP)
    // But for localhost, which nobody else serves.
    expect(connect(machine, NODE_COOKIE, at('127.0.0.1', 30_080))).not.toEqual(at('127.0.0.1', 30_080))
  })
  it('is a Service without endpoints, and one whose policy Local has none here', async () => {
    const machine = loneMachine()
    await machine.sync([web([]), web(PODS, { name: 'api', index: 11 })], { full: true })
    expect(connect(machine, NODE_COOKIE)).toEqual(VIP)
    await machine.sync([web([], { name: 'api', index: 11 })])
    expect(connect(machine, NODE_COOKIE, at('10.96.0.11'))).toEqual(at('10.96.0.11'))
  })
  it('is a socket more than the table of connected ones holds', async () => {
    const machine = loneMachine()
    await machine.sync([web(PODS)], { full: true })
    const first = machine.socket('TCP')
    first.connect(VIP)
    const peers = [...machine.bpf.maps.values()].find(({ spec }) => spec.name === 'fw_peers')
    const { maxEntries = 0, valueSize = 0 } = peers?.spec ?? {}
    const key = Buffer.alloc(8)
    for (let index = 1; index < maxEntries; index++) {
      key.writeUInt32LE(index, 4)
      peers?.update(key.toString('latin1'), Buffer.alloc(valueSize))
    }
    expect(connect(machine, NODE_COOKIE)).toEqual(VIP)
    first.close()
    expect(connect(machine, NODE_COOKIE)).not.toEqual(VIP)
  })
  it("is a Service address of a pod's own localhost", async () => {
    const machine = loneMachine()
    const local = web(PODS)
    const loopback = at('127.96.0.10')
    const moved = {
      ...local,
      ports: local.ports.map((port) => ({
        ...port,
        frontends: port.frontends.map((each) => ({ ...each, address: loopback.address })),
      })),
    }
    await machine.sync([moved], { full: true })
    expect(connect(machine, NODE_COOKIE, loopback)).not.toEqual(loopback)
    expect(connect(machine, POD_COOKIE, loopback)).toEqual(loopback)
  })
})

it('gives pods and the node all endpoints under externalTrafficPolicy Local', async () => {
  const machine = loneMachine({ random: counting() })
  const spec = { type: 'NodePort' as const, externalTrafficPolicy: 'Local' as const }
  await machine.sync([web(PODS, { spec, port: { nodePort: 30_080 } })], { full: true })
  for (const cookie of [NODE_COOKIE, POD_COOKIE]) {
    const reached = PODS.map(() => machine.socket('TCP', { cookie }).connect(at('192.0.2.1', 30_080)).address)
    expect(reached.sort()).toEqual(PODS)
  }
})
