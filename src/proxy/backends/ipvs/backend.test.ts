import { describe, expect, it } from 'vitest'
import { type Packet, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice } from '../../../model/testing/index.ts'
import { backendConformance } from '../../backend.conformance.ts'
import type { FrontendStatus } from '../../backend.ts'
import { FAKE_PLANS } from '../../testing/index.ts'
import { createIpvsBackend } from './index.ts'
import { change, fakeKernel, from, node, opened, serviceCIDRs, WEB, web } from './testing/index.ts'

backendConformance('ipvs on the fake', async () => {
  const kernel = fakeKernel()
  return {
    backend: createIpvsBackend({ kernel, serviceCIDRs }),
    plan: { ...FAKE_PLANS.IPv4, node },
    send: async (packet) => kernel.send(packet, node),
    close: async () => {},
  }
})

describe('what ipvs is told', () => {
  it('tells only what one endpoint changes, and nothing for the same again', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'])], true))
    const before = kernel.changes()
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'])]))
    expect(kernel.changes()).toBe(before)
    const [servers, sets, rules] = [kernel.ipvs.committed.length, kernel.ipset.committed.length, kernel.iptables.committed.length]
    await backend.sync(change([web(['10.1.1.1', '10.1.1.3'])]))
    expect([...kernel.ipvs.committed.slice(servers)].sort()).toEqual([
      '-a -t 10.96.0.10:80 -r 10.1.1.3:8080 -m -w 1',
      '-e -t 10.96.0.10:80 -r 10.1.1.2:8080 -m -w 0',
    ])
    expect(kernel.ipset.committed.slice(sets)).toEqual([
      'add KUBE-LOOP-BACK 10.1.1.3,tcp:8080,10.1.1.3 -exist',
      'del KUBE-LOOP-BACK 10.1.1.2,tcp:8080,10.1.1.2 -exist',
    ])
    expect(kernel.iptables.committed.length).toBe(rules)
  })
  it('uses a constant number of rules, whatever the number of Services with one policy', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1'])], true))
    const rules = kernel.iptables.committed.length
    const many = Array.from({ length: 20 }, (_, index) => {
      const object = service(`s${index}`, {
        type: 'NodePort',
        clusterIP: `10.96.1.${index}`,
        clusterIPs: [`10.96.1.${index}`],
        ports: [port(80, { nodePort: 30_100 + index })],
      })
      const meaning = serviceForwarding({ service: object, slices: [slice(`s${index}`, [endpoint('10.1.1.1')])], node }, 'IPv4')
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    })
    await backend.sync(change(many))
    expect(kernel.iptables.committed.length).toBe(rules)
  })
  it('reads the kernel back after a failure and then puts everything right', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1'])], true))
    kernel.ipvs.clear()
    await expect(backend.sync(change([web(['10.1.1.2'])]))).rejects.toThrow('Service not defined')
    await backend.sync(change([]))
    expect(kernel.send(from('192.0.2.1'), node)).toMatchObject({ kind: 'reached', endpoint: '10.1.1.2:8080' })
  })
  it('puts no address of the node itself on the device, and leaves its other ports alone', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1'], { externalIPs: ['192.0.2.1'] })], true))
    expect([...kernel.device.addresses]).toEqual([WEB.address])
    expect(kernel.send(from('198.51.100.9', { address: '192.0.2.1', port: 80 }), node)).toMatchObject({ kind: 'reached' })
    expect(
      kernel.ipset.matches('KUBE-IPVS-IPS', ['dst'], {
        source: '',
        destination: { address: '192.0.2.1', port: 22 },
        protocol: 'tcp',
      }),
    ).toBe(false)
  })
  it('lets pods reach all endpoints and others those here where both policies are Local', async () => {
    const { kernel, backend } = opened()
    const spec = { externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' } as const
    await backend.sync(change([web(['10.1.1.1', '10.1.2.1'], spec)], true))
    const external = { address: '198.51.100.1', port: 80 }
    const reached = (packet: Packet) =>
      new Set(
        [1, 2, 3, 4]
          .map(() => kernel.send(packet, node))
          .map((outcome) => ('endpoint' in outcome ? outcome.endpoint : outcome.kind)),
      )
    expect(reached(from('10.1.1.9', external))).toEqual(new Set(['10.1.1.1:8080', '10.1.2.1:8080']))
    expect(reached(from('198.51.100.9', external))).toEqual(new Set(['10.1.1.1:8080']))
    expect(reached(from('10.1.1.9'))).toEqual(new Set(['10.1.1.1:8080']))
  })
  it('remembers a client for all frontends of a Service port, and clients apart', async () => {
    const { kernel, backend } = opened()
    const spec = {
      type: 'NodePort',
      sessionAffinity: 'ClientIP',
      externalIPs: ['198.51.100.1'],
      ports: [port(80, { nodePort: 30_080 })],
    } as const
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2', '10.1.1.3'], spec)], true))
    const places = [WEB, { address: '192.0.2.1', port: 30_080 }, { address: '198.51.100.1', port: 80 }]
    // Each virtual server takes its own turns: without a common memory, the others would be at another one now.
    kernel.send(from('198.51.100.6'), node)
    const clients = ['198.51.100.7', '198.51.100.8', '198.51.100.9', '10.1.1.8', '10.1.1.9']
    const endpoints = clients.map((client) => places.map((place) => kernel.send(from(client, place), node)))
    for (const reached of endpoints)
      expect(new Set(reached.map((outcome) => 'endpoint' in outcome && outcome.endpoint)).size).toBe(1)
    expect(new Set(endpoints.flat().map((outcome) => 'endpoint' in outcome && outcome.endpoint)).size).toBe(3)
  })
  it('lets a process of an allowed node in that has the VIP itself as its source', async () => {
    const { kernel, backend } = opened()
    const vip = { address: '203.0.113.1', port: 80 }
    const spec = { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] } as const
    await backend.sync(change([web(['10.1.1.1'], spec, vip.address)], true))
    const packet: Packet = { source: { class: 'node', address: vip.address }, destination: vip, protocol: 'TCP' }
    expect(kernel.send(packet, node)).toMatchObject({ kind: 'reached', source: '192.0.2.1' })
    expect(kernel.send({ ...packet, source: { class: 'outside', address: '198.51.100.9' } }, node)).toEqual({ kind: 'dropped' })
  })
  it('masquerades a process that has a ClusterIP as its source, which only this node answers to', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.2.1'])], true))
    const packet = { ...from('192.0.2.1'), source: { class: 'node', address: WEB.address } } as const
    expect(kernel.send(packet, node)).toEqual({ kind: 'reached', endpoint: '10.1.2.1:8080', source: '192.0.2.1' })
  })
  it('leaves out an endpoint that the kernel refuses, says so, and carries all the rest', async () => {
    const { kernel, backend } = opened()
    const told: FrontendStatus[] = []
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, (status) => told.push(status))
    await backend.sync(change([web(['10.1.1.255', '10.1.1.1'])], true))
    expect(kernel.send(from('10.1.1.9'), node)).toMatchObject({ endpoint: '10.1.1.1:8080' })
    expect(backend.exceptions()).toMatchObject([{ address: WEB.address, port: 80, state: 'failed', code: 'EINVAL' }])
    expect(backend.exceptions()[0]).toMatchObject({ message: expect.stringContaining('10.1.1.255:8080') })
    expect(await backend.audit()).toEqual([])
    await backend.sync(change([web(['10.1.1.255', '10.1.1.2'])]))
    expect(kernel.send(from('10.1.1.9'), node)).toMatchObject({ endpoint: '10.1.1.2:8080' })
    await backend.sync(change([web(['10.1.1.2'])]))
    expect(backend.exceptions()).toEqual([])
    expect(told.map(({ state }) => state)).toEqual(['failed', 'serving'])
    stop.abort()
    await stopped
  })
  it('carries with the scheduler that is asked for', async () => {
    const { kernel, backend } = opened({ scheduler: 'wlc' })
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(await kernel.ipvs.read()).toMatchObject([{ scheduler: 'wlc' }])
  })
  it('refuses a scheduler that there is not, in one line', () => {
    expect(() => opened({ scheduler: 'fastest' })).toThrow(
      '--ipvs-scheduler=fastest is unknown; choose one of rr, wrr, lc, wlc, dh, sh, sed, nq, mh',
    )
  })
  it('starts with a reason where ipvs cannot be used', async () => {
    const kernel = { ...fakeKernel(), ipvs: { ...fakeKernel().ipvs, probe: async () => 'ipvs: the kernel lacks it' } }
    const backend = createIpvsBackend({ kernel, serviceCIDRs })
    await expect(backend.start(new AbortController().signal, () => {})).rejects.toThrow('ipvs: the kernel lacks it')
  })
  it('says which frontends it cannot carry where a family does not work, and carries the others', async () => {
    const kernel = fakeKernel()
    kernel.settings.set('ipv6/conf/default/disable_ipv6', '1')
    const backend = createIpvsBackend({ kernel, serviceCIDRs })
    const told: FrontendStatus[] = []
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, (status) => told.push(status))
    const object = service('six', { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] })
    const six = serviceForwarding({ service: object, slices: [], node }, 'IPv6')
    if (six.kind !== 'forwarding') throw new Error(six.reason)
    await backend.sync(change([web(['10.1.1.1']), six.forwarding], true))
    expect(backend.exceptions()).toMatchObject([
      { address: 'fd00::1', state: 'failed', message: expect.stringContaining('IPv6 is disabled') },
    ])
    expect(kernel.send(from('192.0.2.1'), node)).toMatchObject({ kind: 'reached' })
    await backend.sync({ full: false, set: [], delete: [six.forwarding.key], node })
    expect(told.map(({ state }) => state)).toEqual(['failed', 'gone'])
    stop.abort()
    await stopped
  })
})

describe('trace', () => {
  it('tells rules, virtual server and real servers in the order of a packet', async () => {
    const { backend } = opened()
    await backend.sync(change([web(['10.1.1.1'], { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] })], true))
    expect(backend.trace(from('198.51.100.9', { address: '192.0.2.1', port: 30_080 }))).toEqual([
      '-t mangle -A PREROUTING -m conntrack --ctstate NEW -j FAIRWAY-IPVS-FIREWALL',
      '-t nat -A PREROUTING -j FAIRWAY-IPVS-SERVICES',
      '-t nat -A FAIRWAY-IPVS-SERVICES -m set --match-set FAIRWAY-NODE-PORT-ADDRESSES dst -j FAIRWAY-IPVS-NODE-PORT',
      '-t nat -A FAIRWAY-IPVS-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j FAIRWAY-IPVS-MARK-MASQ',
      '-t nat -A FAIRWAY-IPVS-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
      '-t filter -A INPUT -m conntrack --ctstate NEW -j FAIRWAY-IPVS-FILTER',
      '-A -t 192.0.2.1:30080 -s rr',
      '-a -t 192.0.2.1:30080 -r 10.1.1.1:8080 -m -w 1',
      '-t nat -A POSTROUTING -j FAIRWAY-IPVS-POSTROUTING',
      '-t nat -A FAIRWAY-IPVS-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
      '-t nat -A FAIRWAY-IPVS-POSTROUTING -j MASQUERADE --random-fully',
    ])
  })
  it('ends where a packet ends, and is empty where no Service is meant', async () => {
    const { backend } = opened()
    await backend.sync(change([web([])], true))
    expect(backend.trace(from('198.51.100.9')).at(-1)).toBe(
      '-t filter -A FAIRWAY-IPVS-REFUSE -p tcp -j REJECT --reject-with tcp-reset',
    )
    expect(backend.trace(from('198.51.100.9', { address: '8.8.8.8', port: 53 }))).toEqual([])
  })
})
