import { afterEach, describe, expect, it } from 'vitest'
import type { ServiceSpec } from '../../api/index.ts'
import { type Forwarding, type Packet, serviceForwarding } from '../../model/index.ts'
import { endpoint, port, service, slice } from '../../model/testing/index.ts'
import { backendConformance } from '../backend.conformance.ts'
import type { Change } from '../backend.ts'
import { fakeBackend, loopbackWorld } from '../testing/index.ts'
import { splitChange } from './desired.ts'
import { withLoopbackNodePorts } from './index.ts'

const POD_PORT = 18_090
const PODS = ['127.81.1.1', '127.81.1.2', '127.81.1.3']
const LOOPBACK = '127.85.0.1'
const NODE = '192.0.2.1'
const NODE_PORT = 30_091
const classOf = (source: string) => (source.startsWith('127.81.') ? 'pod' : source.startsWith('127.82.') ? 'outside' : 'node')
const node = { name: 'n1', addresses: [NODE], podCIDRs: ['127.81.0.0/16'], nodePortAddresses: [NODE, LOOPBACK] }

const open = async () => {
  const world = loopbackWorld()
  for (const address of PODS) await world.addPod({ address, port: POD_PORT })
  const kernel = fakeBackend()
  const backend = withLoopbackNodePorts(kernel, { classify: classOf, drainMs: 0 })
  // What goes to loopback takes real sockets, the rest the fake kernel.
  const send = (packet: Packet) =>
    packet.destination.address === LOOPBACK ? world.send(packet) : Promise.resolve(kernel.send(packet))
  return { world, kernel, backend, send }
}

backendConformance('a kernel with NodePorts on loopback', async () => {
  const { world, backend, send } = await open()
  return {
    backend,
    plan: {
      clusterIP: (index) => `10.96.0.${index + 10}`,
      externalIP: '198.51.100.1',
      vip: '203.0.113.1',
      node: { ...node, nodePortAddresses: [LOOPBACK] },
      nodePort: NODE_PORT,
      pods: PODS,
      endpointPort: POD_PORT,
      sources: { pod: '127.81.1.9', node: '127.0.0.1', outside: '127.82.0.9' },
    },
    send,
    close: world.close,
  }
}, [
  {
    test: "gives an address of the node to the Service that has it, and with its end to another's NodePort",
    reason: 'a loopback address is nobody’s externalIP',
  },
  ...['TCP', 'UDP'].flatMap((protocol) => [
    {
      test: `drops ${protocol} from outside where policy Local has no endpoint here, but lets pods and the node in`,
      reason: 'nothing from outside arrives on loopback',
    },
    {
      test: `keeps a client's ${protocol} at one endpoint with session affinity, on all frontends, over syncs`,
      reason: 'the sockets remember their own clients',
    },
  ]),
])

describe('NodePorts on loopback beside a kernel backend', () => {
  const undo: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step()
  })
  const started = async () => {
    const rig = await open()
    const stop = new AbortController()
    const statuses: string[] = []
    const running = await rig.backend.start(stop.signal, ({ state, address }) => statuses.push(`${address} ${state}`))
    const end = async () => {
      stop.abort()
      await running.stopped
    }
    undo.push(rig.world.close, end)
    return { ...rig, statuses, end }
  }
  const web = (spec: Partial<ServiceSpec> = {}, pods: readonly string[] = PODS, nodeName = 'n1'): Forwarding => {
    const object = service('web', {
      type: 'NodePort',
      clusterIP: '10.96.0.10',
      ports: [port(80, { nodePort: NODE_PORT })],
      ...spec,
    })
    const ports = [{ port: POD_PORT, protocol: 'TCP' as const, name: '' }]
    const slices = [
      slice(
        'web',
        pods.map((address) => endpoint(address, { nodeName })),
        { ports },
      ),
    ]
    const meaning = serviceForwarding({ service: object, slices, node }, 'IPv4')
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    return meaning.forwarding
  }
  const full = (...set: readonly Forwarding[]): Change => ({ full: true, set, delete: [], node })
  const change = (set: readonly Forwarding[], gone: readonly string[] = []): Change => ({ full: false, set, delete: gone, node })
  const local: Packet = {
    source: { class: 'node', address: '127.0.0.1' },
    destination: { address: LOOPBACK, port: NODE_PORT },
    protocol: 'TCP',
  }
  const remote: Packet = {
    ...local,
    source: { class: 'outside', address: '198.51.100.9' },
    destination: { address: NODE, port: NODE_PORT },
  }

  it('answers at both kinds of addresses, and stops at both', async () => {
    const { backend, send, end } = await started()
    await backend.sync(full(web()))
    expect([(await send(local)).kind, (await send(remote)).kind]).toEqual(['reached', 'reached'])
    await backend.sync(change([web({ type: 'ClusterIP', ports: [port(80)] })]))
    expect([(await send(local)).kind, (await send(remote)).kind]).toEqual(['refused', 'refused'])
    await backend.sync(change([web()]))
    expect((await send(local)).kind).toBe('reached')
    await backend.sync(change([], [web().key]))
    expect([(await send(local)).kind, (await send(remote)).kind]).toEqual(['refused', 'refused'])
    await backend.sync(change([web()]))
    await end()
    expect((await send(local)).kind).toBe('refused')
  })

  it('uses endpoints of other nodes under policy Local, as the node itself may', async () => {
    const { backend, send } = await started()
    await backend.sync(full(web({ externalTrafficPolicy: 'Local' }, PODS.slice(0, 1), 'n2')))
    expect(await send(local)).toMatchObject({ kind: 'reached', endpoint: `${PODS[0]}:${POD_PORT}` })
  })

  it('keeps a loopback client at its endpoint with session affinity', async () => {
    const { backend, send } = await started()
    await backend.sync(full(web({ sessionAffinity: 'ClientIP' })))
    const first = await send(local)
    for (let round = 0; round < 5; round++) expect(await send(local)).toEqual(first)
  })

  it('tells the failure of one, and has told the other nevertheless', async () => {
    const { backend, kernel, send } = await started()
    await backend.sync(full())
    kernel.failNext(new Error('the kernel is busy'))
    await expect(backend.sync(change([web()]))).rejects.toThrow('the kernel is busy')
    expect((await send(local)).kind).toBe('reached')
  })

  it('says where a port is taken, and takes it when it is free', async () => {
    const { backend, world, statuses, send } = await started()
    await world.addPod({ address: LOOPBACK, port: NODE_PORT })
    await backend.sync(full(web()))
    expect(statuses).toEqual([`${LOOPBACK} failed`])
    expect(backend.exceptions()).toMatchObject([{ state: 'failed', code: 'EADDRINUSE', address: LOOPBACK }])
    expect((await send(remote)).kind).toBe('reached')
  })

  it('traces loopback through its socket and the rest through the kernel', async () => {
    const { backend, kernel } = await started()
    await backend.sync(full(web()))
    expect(backend.trace(local).join()).toContain(`${LOOPBACK}:${NODE_PORT}`)
    expect(backend.trace(remote)).toEqual(kernel.trace(remote))
    expect(await backend.audit()).toEqual([])
  })

  it('tells the sockets nothing but NodePorts, and the kernel no loopback address', () => {
    const { kernel, sockets } = splitChange(full(web(), web({ type: 'ClusterIP', ports: [port(80)] })))
    expect(kernel.node.nodePortAddresses).toEqual([NODE])
    expect(kernel.set).toHaveLength(2)
    expect(sockets.node.nodePortAddresses).toEqual([LOOPBACK])
    expect(sockets.set.flatMap(({ ports }) => ports.flatMap(({ frontends }) => frontends.map(({ kind }) => kind)))).toEqual([
      'NodePort',
    ])
  })
})
