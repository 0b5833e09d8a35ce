import { describe, expect, it } from 'vitest'
import type { ServiceSpec } from '../../../api/index.ts'
import { port } from '../../../model/testing/index.ts'
import { createIpvsBackend, ipvsLeftovers } from './index.ts'
import { change, fakeKernel, opened, serviceCIDRs, WEB, web } from './testing/index.ts'

describe('settings of the kernel', () => {
  it('are set, and are as before after a cleanup by another process', async () => {
    const { kernel, backend } = opened({ strictARP: true })
    const before = new Map(kernel.settings)
    kernel.settings.set('ipv4/conf/all/arp_announce', '1')
    before.set('ipv4/conf/all/arp_announce', '1')
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(Object.fromEntries(kernel.settings)).toMatchObject({
      'ipv4/vs/conntrack': '1',
      'ipv4/vs/expire_nodest_conn': '1',
      'ipv4/vs/expire_quiescent_template': '1',
      'ipv4/conf/all/arp_ignore': '1',
      'ipv4/conf/all/arp_announce': '2',
    })
    await createIpvsBackend({ kernel, serviceCIDRs }).cleanup()
    expect(kernel.settings).toEqual(before)
  })
  it('of time are set where they are told, again when somebody changes them, and as before after a cleanup', async () => {
    const { kernel, backend } = opened({ timeouts: { tcp: 3_600, udp: 60 } })
    const before = await kernel.ipvs.timeouts()
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(await kernel.ipvs.timeouts()).toEqual({ ...before, tcp: 3_600, udp: 60 })
    expect(await backend.audit()).toEqual([])
    await kernel.ipvs.setTimeouts({ udp: 61 })
    expect(await backend.audit()).toEqual([{ kind: 'changed', what: 'timeouts of ipvs' }])
    expect((await kernel.ipvs.timeouts()).udp).toBe(60)
    await createIpvsBackend({ kernel, serviceCIDRs }).cleanup()
    expect(await kernel.ipvs.timeouts()).toEqual(before)
  })
  it('of time stay as they are unless they are told, also after a cleanup', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1'])], true))
    await kernel.ipvs.setTimeouts({ udp: 61 })
    await backend.cleanup()
    expect((await kernel.ipvs.timeouts()).udp).toBe(61)
  })
  it('leave ARP alone unless it is asked for, and connection reuse where the kernel does it well', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([], true))
    expect(kernel.settings.get('ipv4/conf/all/arp_ignore')).toBe('0')
    expect(kernel.settings.get('ipv4/vs/conn_reuse_mode')).toBe('1')
  })
  it('turn connection reuse off in kernels before 5.9', async () => {
    const kernel = { ...fakeKernel(), release: async () => '5.4.0-200-generic' }
    await createIpvsBackend({ kernel, serviceCIDRs }).sync(change([], true))
    expect(kernel.settings.get('ipv4/vs/conn_reuse_mode')).toBe('0')
  })
})

describe('what others have', () => {
  it('stays: their virtual servers, sets, rules and a node port that only they serve', async () => {
    const { kernel, backend } = opened()
    const theirs = { protocol: 'tcp', address: '192.0.2.1', port: 8443, scheduler: 'sh' } as const
    await kernel.ipvs.commit([{ kind: 'add server', server: theirs }])
    await kernel.ipset.commit([{ kind: 'create', set: { name: 'THEIRS', type: 'hash:ip', family: 'inet' } }])
    const place = { flavour: 'nft', family: 'IPv4' } as const
    await kernel.iptables.restore(place, [
      { table: 'filter', commands: [{ kind: 'append rule', chain: 'INPUT', rule: '-p tcp -j DROP' }] },
    ])
    const spec: Partial<ServiceSpec> = { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] }
    await backend.sync(change([web(['10.1.1.1'], spec)], true))
    await createIpvsBackend({ kernel, serviceCIDRs }).sync(change([], true))
    expect(await kernel.ipvs.read()).toMatchObject([theirs])
    await backend.cleanup()
    expect(await kernel.ipvs.read()).toMatchObject([theirs])
    expect((await kernel.ipset.read(() => true)).map(({ name }) => name)).toEqual(['THEIRS'])
    expect(kernel.iptables.rulesOf('IPv4', 'filter', 'INPUT')).toEqual(['-p tcp -j DROP'])
  })
  it('stays in ranges that are excluded, whatever it looks like', async () => {
    const excludeCIDRs = ['192.0.2.0/24']
    const { kernel, backend } = opened({ excludeCIDRs })
    const spec: Partial<ServiceSpec> = { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] }
    await backend.sync(change([web(['10.1.1.1'], spec)], true))
    const served = async () => (await kernel.ipvs.read()).map(({ address, port: number }) => `${address}:${number}`).sort()
    expect(await served()).toEqual(['10.96.0.10:80', '192.0.2.1:30080'])
    await createIpvsBackend({ kernel, serviceCIDRs, excludeCIDRs }).sync(change([], true))
    expect(await served()).toEqual(['192.0.2.1:30080'])
  })
  it('stays where it has the names of kube-proxy and nothing is ours', async () => {
    const { kernel, backend } = opened()
    await kernel.ipset.commit([{ kind: 'create', set: { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 'inet' } }])
    await kernel.device.ensure('')
    await backend.cleanup()
    expect(await kernel.device.read()).toBeDefined()
    expect(await kernel.ipset.read(() => true)).toHaveLength(1)
    expect((await ipvsLeftovers(kernel)).found).toEqual([])
  })
  it('is taken over from kube-proxy: sets with other limits or of other types, and addresses', async () => {
    const { kernel, backend } = opened()
    await kernel.ipset.commit([
      { kind: 'create', set: { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 'inet', maxElements: 65_536 } },
      { kind: 'add', member: { set: 'KUBE-CLUSTER-IP', entry: '10.96.0.77,tcp:80' } },
      { kind: 'create', set: { name: 'KUBE-NODE-PORT-TCP', type: 'hash:ip', family: 'inet' } },
    ])
    await kernel.device.ensure('')
    await kernel.device.change({ add: ['10.96.0.77'], remove: [] })
    await backend.sync(change([web(['10.1.1.1'])], true))
    const sets = await kernel.ipset.read(() => true)
    expect(sets.find(({ name }) => name === 'KUBE-CLUSTER-IP')).toMatchObject({
      maxElements: 1_048_576,
      entries: ['10.96.0.10,tcp:80'],
    })
    expect(sets.find(({ name }) => name === 'KUBE-NODE-PORT-TCP')?.type).toBe('bitmap:port')
    expect(sets.map(({ name }) => name)).not.toContain('FAIRWAY-SWAP')
    expect([...kernel.device.addresses]).toEqual([WEB.address])
  })
})

describe('cleanup', () => {
  it('removes every trace, also of a process that was killed, and again where nothing is', async () => {
    const { kernel, backend } = opened()
    const spec: Partial<ServiceSpec> = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      ports: [port(80, { nodePort: 30_080 })],
    }
    await backend.sync(change([web(['10.1.1.1', '10.1.2.1'], spec, '203.0.113.1')], true))
    expect((await ipvsLeftovers(kernel)).found).toEqual(
      expect.arrayContaining([
        'device kube-ipvs0',
        'virtual server tcp 192.0.2.1:30080',
        'virtual server tcp 203.0.113.1:80',
        '48 sets',
        '14 chains FAIRWAY-IPVS (nft, IPv4)',
      ]),
    )
    const other = createIpvsBackend({ kernel, serviceCIDRs })
    await other.cleanup()
    await other.cleanup()
    expect(await kernel.ipvs.read()).toEqual([])
    expect(await kernel.ipset.read(() => true)).toEqual([])
    expect(await kernel.device.read()).toBeUndefined()
    const left = await kernel.iptables.read({ flavour: 'nft', family: 'IPv4' }, () => true)
    expect(left.filter(({ isBuiltIn, rules }) => !isBuiltIn || rules.length > 0)).toEqual([])
    expect((await ipvsLeftovers(kernel)).found).toEqual([])
  })
})
