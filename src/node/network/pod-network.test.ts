import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realExec, realHost } from '../../host/index.ts'
import { createLinks, instanceTag } from '../../kernel/link/index.ts'
import { AddressPool } from './address-pool.ts'
import { createLoopbackNetwork } from './loopback.ts'
import { createNetnsNetwork } from './netns.ts'
import { podNetworkConformance } from './pod-network.conformance.ts'
import { type Machine, openMachine } from './testing/machine.ts'

const { networkNamespaces } = await realHost().capabilities()
const slot = process.pid % 16

describe('the loopback network', () => {
  podNetworkConformance(async () => createLoopbackNetwork({ podCIDR: `127.91.7.${slot * 16}/28`, nodeAddress: '127.0.0.1' }))
})

describe.skipIf(!networkNamespaces.usable)('the netns network (needs root)', () => {
  const tag = instanceTag(`/pod-network-test/${process.pid}`)
  const create = async () =>
    createNetnsNetwork({ exec: realExec, tag, podCIDR: `10.252.7.${slot * 16}/28`, nodeAddress: `10.252.7.${slot * 16 + 1}` })
  podNetworkConformance(create)

  it('leaves what other parts of its instance own', async () => {
    const links = createLinks(realExec, tag)
    await links.ensureLocalRoute('10.252.99.0/24')
    const network = await create()
    await network.prepare()
    await network.close()
    expect(await links.listOwned()).toEqual({ links: [], namespaces: [], localRoutes: ['10.252.99.0/24'], routes: [] })
    await links.removeOwned()
  })
})

describe.skipIf(!networkNamespaces.usable)('the netns network where the kernel carries Services (needs root)', () => {
  let machine: Machine
  beforeEach(async () => {
    machine = await openMachine(`pn${process.pid}`, { hasDefaultRoute: false })
  })
  afterEach(() => machine.close())
  const tag = instanceTag(`/pod-network-test/kernel/${process.pid}`)
  const bridge = `${tag}-br`
  const create = (kernelServiceCIDRs: readonly string[]) =>
    createNetnsNetwork({ exec: machine.exec, tag, podCIDR: '10.252.8.0/28', nodeAddress: '10.252.8.1', kernelServiceCIDRs })
  const output = async (...argv: readonly [string, ...string[]]) => (await machine.exec(argv)).stdout

  it('leads Services to the bridge without a default route, until sockets carry them', async () => {
    await create(['10.250.8.0/24']).prepare()
    expect(await output('ip', 'route', 'get', '10.250.8.7')).toContain(`dev ${bridge} src 10.252.8.1`)
    const network = create([])
    await network.prepare()
    expect(await output('ip', 'route')).not.toContain('10.250.8.0/24')
    await network.close()
  })

  it('keeps bridge and route over a kill, removes the pods of before, and everything at the end', async () => {
    const first = create(['10.250.8.0/24'])
    await first.prepare()
    await first.attach({ uid: 'a', hostNetwork: false })
    const before = await output('ip', '-o', 'link', 'show', bridge)
    const second = create(['10.250.8.0/24'])
    await second.prepare()
    expect(await output('ip', '-o', 'link', 'show', bridge)).toContain(before.split(' ')[0])
    const { links, namespaces, routes } = await createLinks(machine.exec, tag).listOwned()
    expect({ links, namespaces, routes }).toEqual({ links: [bridge], namespaces: [], routes: ['10.250.8.0/24'] })
    await second.close()
    expect(await createLinks(machine.exec, tag).listOwned()).toEqual({ links: [], namespaces: [], localRoutes: [], routes: [] })
  })
})

describe('AddressPool', () => {
  it.each(['10.0.0.0', '10.0.0.1/24', '10.0.0.0/31', 'x'])('refuses %s', (cidr) => {
    expect(() => new AddressPool(cidr, [])).toThrow(/pod CIDR/)
  })

  it('serves a large IPv6 range', () => {
    const pool = new AddressPool('fd00:10::/64', ['fd00:10::1'])
    expect([pool.take(), pool.take()]).toEqual(['fd00:10::2', 'fd00:10::3'])
  })
})
