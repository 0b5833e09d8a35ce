import { describe, expect, it } from 'vitest'
import { change, opened, WEB, web, weights } from './testing/index.ts'

describe('audit', () => {
  it('finds nothing where all is well', async () => {
    const { kernel, backend } = opened()
    await backend.sync(change([web(['10.1.1.1'])], true))
    const before = kernel.changes()
    expect(await backend.audit()).toEqual([])
    expect(kernel.changes()).toBe(before)
  })
  it('says what is missing, changed or foreign, of which Service, and mends it', async () => {
    const { kernel, backend } = opened()
    const forwarding = web(['10.1.1.1', '10.1.1.2'])
    await backend.sync(change([forwarding], true))
    const server = { protocol: 'tcp', ...WEB } as const
    await kernel.ipvs.commit([
      { kind: 'delete real', server, real: { address: '10.1.1.1', port: 8080 } },
      { kind: 'edit real', server, real: { address: '10.1.1.2', port: 8080, weight: 5 } },
      { kind: 'add real', server, real: { address: '10.1.1.7', port: 8080, weight: 1 } },
    ])
    await kernel.ipset.commit([
      { kind: 'delete', member: { set: 'KUBE-CLUSTER-IP', entry: '10.96.0.10,tcp:80' } },
      { kind: 'add', member: { set: 'KUBE-CLUSTER-IP', entry: '10.96.0.11,tcp:80' } },
    ])
    await kernel.iptables.restore({ flavour: 'nft', family: 'IPv4' }, [
      { table: 'nat', commands: [{ kind: 'delete rule', chain: 'OUTPUT', rule: '-j FAIRWAY-IPVS-SERVICES' }] },
      { table: 'filter', commands: [{ kind: 'set chain', chain: 'FAIRWAY-IPVS-REFUSE', rules: ['-j RETURN'] }] },
    ])
    kernel.settings.set('ipv4/vs/conntrack', '0')
    const drift = await backend.audit()
    expect(drift).toEqual(
      expect.arrayContaining([
        { kind: 'missing', what: 'real server 10.1.1.1:8080 of virtual server tcp 10.96.0.10:80', key: forwarding.key },
        { kind: 'changed', what: 'real server 10.1.1.2:8080 of virtual server tcp 10.96.0.10:80', key: forwarding.key },
        { kind: 'foreign', what: 'real server 10.1.1.7:8080 of virtual server tcp 10.96.0.10:80' },
        { kind: 'missing', what: 'member 10.96.0.10,tcp:80 of set KUBE-CLUSTER-IP', key: forwarding.key },
        { kind: 'foreign', what: 'member 10.96.0.11,tcp:80 of set KUBE-CLUSTER-IP' },
        { kind: 'missing', what: 'rule -j FAIRWAY-IPVS-SERVICES in chain OUTPUT of table nat (IPv4)' },
        { kind: 'changed', what: 'chain FAIRWAY-IPVS-REFUSE in table filter (IPv4)' },
        { kind: 'changed', what: 'sysctl net/ipv4/vs/conntrack' },
      ]),
    )
    expect(drift).toHaveLength(8)
    // The foreign one drains, as nobody knows what it carries.
    expect(await weights(kernel)).toEqual({ 1: 1, 2: 1, 7: 0 })
    expect(await backend.audit()).toEqual([])
  })
})
