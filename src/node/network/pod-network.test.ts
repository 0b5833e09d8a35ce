import { describe, expect, it } from 'vitest'
import { realExec, realHost } from '../../host/index.ts'
import { createLinks, instanceTag } from '../../kernel/link/index.ts'
import { AddressPool } from './address-pool.ts'
import { createLoopbackNetwork } from './loopback.ts'
import { createNetnsNetwork } from './netns.ts'
import { podNetworkConformance } from './pod-network.conformance.ts'

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
    expect(await links.listOwned()).toEqual({ links: [], namespaces: [], localRoutes: ['10.252.99.0/24'] })
    await links.removeOwned()
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
