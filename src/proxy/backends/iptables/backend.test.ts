import { describe, expect, it } from 'vitest'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { type FakeOptions, fakeIptables } from '../../../kernel/iptables/testing/index.ts'
import { type Forwarding, type Packet, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../model/testing/index.ts'
import { backendConformance } from '../../backend.conformance.ts'
import type { FrontendStatus } from '../../backend.ts'
import { FAKE_PLANS } from '../../testing/index.ts'
import { createIptablesBackend, type IptablesBackendOptions, iptablesLeftovers } from './index.ts'
import { sendThrough } from './testing/index.ts'

const { node } = FAKE_PLANS.IPv4
const node6 = FAKE_PLANS.IPv6.node
const serviceCIDRs = ['10.96.0.0/16', 'fd00:96::/112']
const PLACE = { flavour: 'nft', family: 'IPv4' } as const

for (const flavour of ['nft', 'legacy'] as const) {
  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`iptables (${flavour}) on the fake, ${family}`, async () => {
      const iptables = fakeIptables()
      const plan = FAKE_PLANS[family]
      return {
        backend: createIptablesBackend({ iptables, flavour, serviceCIDRs }),
        plan,
        send: async (packet) => sendThrough(iptables, packet, { node: plan.node, flavour }),
        close: async () => {},
      }
    })
  }
}

const meaningOf = (object: ReturnType<typeof service>, pods: readonly string[], view = node): Forwarding => {
  const family = (object.spec.clusterIP ?? '').includes(':') ? 'IPv6' : 'IPv4'
  const endpoints = pods.map((address) => endpoint(address, { nodeName: 'n1' }))
  const slices = [slice(object.metadata.name, endpoints, { addressType: family })]
  const meaning = serviceForwarding({ service: object, slices, node: view }, family)
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const web = (pods: readonly string[], affinity = false): Forwarding =>
  meaningOf(service('web', { ports: [port(80)], ...(affinity ? { sessionAffinity: 'ClientIP' as const } : {}) }), pods)
const change = (set: readonly Forwarding[], full = false, view = node) => ({ full, set, delete: [], node: view })
const toWeb: Packet = {
  source: { class: 'outside', address: '198.51.100.9' },
  destination: { address: '10.96.0.10', port: 80 },
  protocol: 'TCP',
}
const world = (options: FakeOptions = {}, rest: Partial<IptablesBackendOptions> = {}) => {
  const iptables = fakeIptables(options)
  const backend = createIptablesBackend({ iptables, serviceCIDRs, ...rest })
  const told = (): readonly string[] => (iptables.restored.at(-1) ?? '').trimEnd().split('\n')
  return { iptables, backend, told, send: (packet = toWeb, view = node) => sendThrough(iptables, packet, { node: view }) }
}

describe('what iptables is told', () => {
  it('writes the chains of the Service that changed, and nothing for the same again', async () => {
    const { iptables, backend, told } = world()
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'])], true))
    const before = iptables.restored.length
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'])]))
    expect(iptables.restored.length).toBe(before)
    await backend.sync(change([web(['10.1.1.2'])]))
    expect(told()).toEqual([
      '*nat',
      expect.stringMatching(/^:KUBE-SEP-\w{16} - \[0:0\]$/),
      expect.stringMatching(/^:KUBE-SVC-\w{16} - \[0:0\]$/),
      expect.stringMatching(/^-A KUBE-SVC-\w{16} ! -s 10.1.1.0\/24 -d 10.96.0.10 .* -j KUBE-MARK-MASQ$/),
      expect.stringMatching(/^-A KUBE-SVC-\w{16} -m comment --comment "default\/web -> 10.1.1.2:8080" -j KUBE-SEP-\w{16}$/),
      expect.stringMatching(/^-X KUBE-SEP-\w{16}$/),
      'COMMIT',
    ])
  })
  it('changes the long lists by single lines when a Service comes and goes', async () => {
    const { backend, told } = world()
    const api = meaningOf(service('api', { clusterIP: '10.96.0.11', clusterIPs: ['10.96.0.11'] }), ['10.1.1.3'])
    await backend.sync(change([web(['10.1.1.1'])], true))
    await backend.sync(change([api]))
    expect(told().filter((line) => line.includes(' KUBE-SERVICES '))).toEqual([
      expect.stringMatching(/^-I KUBE-SERVICES -d 10.96.0.11 .* -j KUBE-SVC-\w{16}$/),
    ])
    await backend.sync({ full: false, set: [], delete: [api.key], node })
    expect(told().filter((line) => line.includes(' KUBE-SERVICES '))).toEqual([
      expect.stringMatching(/^-D KUBE-SERVICES -d 10.96.0.11 .* -j KUBE-SVC-\w{16}$/),
    ])
    expect(told().filter((line) => line.startsWith('-X'))).toHaveLength(2)
  })
  it('refuses in the filter table before it stops to translate, and the other way round', async () => {
    const { backend, told } = world()
    await backend.sync(change([web(['10.1.1.1'])], true))
    await backend.sync(change([web([])]))
    expect(told().filter((line) => line.startsWith('*'))).toEqual(['*filter', '*nat'])
    await backend.sync(change([web(['10.1.1.1'])]))
    expect(told().filter((line) => line.startsWith('*'))).toEqual(['*nat', '*filter'])
  })
  it('writes no comments into the chains of a large cluster', async () => {
    const { iptables, backend } = world()
    const many = Array.from({ length: 1_001 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    await backend.sync(change([web(many)], true))
    const lines = iptables.saved(PLACE).split('\n')
    expect(lines.filter((line) => /^-A KUBE-S(VC|EP).*comment/.test(line))).toEqual([])
    expect(lines).toContainEqual(expect.stringMatching(/^-A KUBE-SERVICES.*"default\/web cluster IP"/))
  })
})

describe('what others do to the rules', () => {
  const flushes: readonly (readonly [string, (iptables: ReturnType<typeof fakeIptables>) => void])[] = [
    ['all tables', (iptables) => iptables.flush()],
    ['the nat table', (iptables) => iptables.flush('nat')],
    ['the filter table', (iptables) => iptables.flush('filter')],
    ['the mangle table', (iptables) => iptables.flush('mangle')],
  ]
  it.each(flushes)('puts back what a flush of %s took, by its canary', async (_, flush) => {
    const clock = pausedClock()
    const stop = new AbortController()
    let told = 0
    const { iptables, backend, send } = world({}, { clock, onForeignChange: () => told++ })
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync(change([web(['10.1.1.1'])], true))
    const before = iptables.saved(PLACE)
    flush(iptables)
    await clock.advance(30_000)
    expect(send()).toMatchObject({ endpoint: '10.1.1.1:8080' })
    expect(iptables.saved(PLACE).split('\n').sort()).toEqual(before.split('\n').sort())
    expect(told).toBe(1)
    expect(await backend.audit()).toContainEqual({ kind: 'missing', what: expect.stringContaining('KUBE-PROXY-CANARY') })
    expect(await backend.audit()).toEqual([])
    stop.abort()
    await stopped
  })
  it('looks at its canary at once where it is told of, and ever slower at who keeps on flushing', async () => {
    const clock = pausedClock()
    const stop = new AbortController()
    let emptied = (): void => {}
    const watchCanary = (chain: string, call: () => void): void => {
      expect(chain).toBe('KUBE-PROXY-CANARY')
      emptied = call
    }
    const { iptables, backend, send } = world({}, { clock, watchCanary })
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync(change([web(['10.1.1.1'])], true))
    const healedAfter = async (): Promise<number> => {
      const startedAt = clock.monotonic()
      iptables.flush('nat')
      emptied()
      while (send().kind !== 'reached') await clock.advance(100)
      return clock.monotonic() - startedAt
    }
    expect(await healedAfter()).toBe(200)
    expect(await healedAfter()).toBe(600)
    await clock.advance(120_000)
    expect(await healedAfter()).toBe(200)
    stop.abort()
    await stopped
  })
  it('reports and repairs what was removed, changed or added', async () => {
    const { iptables, backend } = world()
    const forwarding = web(['10.1.1.1', '10.1.1.2'])
    await backend.sync(change([forwarding], true))
    const chain = /KUBE-SVC-\w+/.exec(iptables.saved(PLACE))?.[0]
    const before = iptables.saved(PLACE)
    iptables.run(
      PLACE,
      `*nat\n:${chain} - [0:0]\n:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]\n-A KUBE-NODEPORTS -p tcp -m tcp --dport 1 -j ${chain}\n-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n`,
    )
    const found = await backend.audit()
    expect([...found].sort((a, b) => (a.what < b.what ? -1 : 1))).toEqual([
      { kind: 'foreign', what: 'chain KUBE-SEP-AAAAAAAAAAAAAAAA in table nat of iptables (nft)' },
      { kind: 'changed', what: `chain ${chain} in table nat of iptables (nft)`, key: forwarding.key },
      {
        kind: 'missing',
        what: 'rule -m comment --comment "kubernetes service portals" -j KUBE-SERVICES of chain PREROUTING in table nat of iptables (nft)',
      },
      {
        kind: 'foreign',
        what: `rule -p tcp -m tcp --dport 1 -j ${chain} of chain KUBE-NODEPORTS in table nat of iptables (nft)`,
      },
    ])
    expect(iptables.saved(PLACE).split('\n').sort()).toEqual(before.split('\n').sort())
    expect(await backend.audit()).toEqual([])
  })
  it('puts a list in order again when a rule stands behind one that must be last', async () => {
    const { iptables, backend } = world()
    await backend.sync(change([web(['10.1.1.1'])], true))
    const [line = ''] = /-A KUBE-SERVICES -d 10.96.0.10.*/.exec(iptables.saved(PLACE)) ?? []
    iptables.run(PLACE, `*nat\n${line.replace('-A', '-D')}\n${line}\nCOMMIT\n`)
    expect(await backend.audit()).toEqual([{ kind: 'changed', what: 'chain KUBE-SERVICES in table nat of iptables (nft)' }])
    expect(await backend.audit()).toEqual([])
  })
  it('leaves rules of others alone, also in chains that it shares', async () => {
    const theirs = `*nat
:THEIRS - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -p tcp -m tcp --dport 8080 -j THEIRS
-A PREROUTING -p tcp -m tcp --dport 8081 -j KUBE-MARK-MASQ
-A THEIRS -j KUBE-MARK-MASQ
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -s 198.51.100.66/32 -j DROP
-A INPUT -j KUBE-FIREWALL
COMMIT
`
    const { iptables, backend } = world()
    iptables.run(PLACE, theirs)
    await backend.sync(change([web(['10.1.1.1'])], true))
    await backend.audit()
    const rulesOf = (text: string) => text.split('\n').filter((line) => /THEIRS|8081|198.51|KUBE-FIREWALL|KUBELET/.test(line))
    expect(rulesOf(iptables.saved(PLACE))).toEqual(expect.arrayContaining(rulesOf(theirs)))
    await backend.cleanup()
    expect(rulesOf(iptables.saved(PLACE))).toEqual(expect.arrayContaining(rulesOf(theirs)))
    expect(iptables.saved(PLACE)).not.toMatch(/KUBE-(SERVICES|SVC|SEP|PROXY|NODEPORTS|POSTROUTING|FORWARD)/)
  })
  it('takes over from kube-proxy, and does not clean its chains up otherwise', async () => {
    const kubeProxy = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SVC-AAAAAAAAAAAAAAAA -d 10.96.0.99 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 10.96.0.99 -p tcp -m tcp --dport 80 -m comment --comment "default/old cluster IP" -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
`
    const { iptables, backend, send } = world()
    iptables.run(PLACE, kubeProxy)
    const before = iptables.saved(PLACE)
    expect(await iptablesLeftovers(iptables)).toEqual([])
    await backend.cleanup()
    expect(iptables.saved(PLACE)).toBe(before)
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(send()).toMatchObject({ endpoint: '10.1.1.1:8080' })
    expect(iptables.saved(PLACE)).not.toMatch(/KUBE-SVC-AAAA|dst-type/)
    expect(await iptablesLeftovers(iptables)).toContain('6 KUBE chains in table filter (nft, IPv4)')
    await backend.cleanup()
    expect(iptables.saved(PLACE)).not.toContain('KUBE-')
    expect(await iptablesLeftovers(iptables)).toEqual([])
  })
})

describe('corners of the model', () => {
  it('does not let a NodePort take what an address of the node, named by another Service, has no endpoint for', async () => {
    const { backend, send } = world()
    const external = service('ext', {
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20'],
      externalIPs: ['192.0.2.1'],
      ports: [port(30_080)],
    })
    const nodePort = service('np', {
      type: 'NodePort',
      clusterIP: '10.96.0.21',
      clusterIPs: ['10.96.0.21'],
      ports: [port(80, { nodePort: 30_080 })],
    })
    const packet = { ...toWeb, destination: { address: '192.0.2.1', port: 30_080 } }
    await backend.sync(change([meaningOf(external, []), meaningOf(nodePort, ['10.1.1.2'])], true))
    expect(send(packet)).toEqual({ kind: 'refused' })
    await backend.sync(change([meaningOf(external, ['10.1.1.1'])]))
    expect(send(packet)).toMatchObject({ endpoint: '10.1.1.1:8080' })
  })
  it('tells allowed sources of a VIP that there is no endpoint, and drops the others', async () => {
    const { backend, send } = world()
    const spec = { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.1.1.0/24', '192.0.2.0/24'] } as const
    await backend.sync(change([meaningOf(service('lb', spec, { status: vips('203.0.113.1') }), [])], true))
    const from = (source: Packet['source']) => send({ ...toWeb, source, destination: { address: '203.0.113.1', port: 80 } })
    expect(from({ class: 'pod', address: '10.1.1.9' })).toEqual({ kind: 'refused' })
    expect(from({ class: 'node', address: '203.0.113.1' })).toEqual({ kind: 'refused' })
    expect(from({ class: 'outside', address: '198.51.100.9' })).toEqual({ kind: 'dropped' })
  })
  it('knows several ranges of pods', async () => {
    const view = { ...node, podCIDRs: ['10.1.1.0/24', '10.2.0.0/16'] }
    const { iptables, backend, send } = world()
    await backend.sync(change([meaningOf(service('web'), ['10.1.1.1'], view)], true, view))
    for (const address of ['10.1.1.9', '10.2.3.4']) {
      expect(send({ ...toWeb, source: { class: 'pod', address } }, view)).toMatchObject({ source: address })
    }
    expect(send(toWeb, view)).toMatchObject({ source: '192.0.2.1' })
    expect(send({ ...toWeb, source: { class: 'node', address: '192.0.2.1' } }, view)).toMatchObject({ source: '192.0.2.1' })
    await backend.sync(change([], false, node))
    expect(iptables.saved(PLACE)).not.toContain('KUBE-MARK-OUTSIDE')
  })
  it('refuses undefined ports of a ClusterIP outside the ranges that are known too', async () => {
    const { backend, send } = world({}, { serviceCIDRs: ['10.97.0.0/16'] })
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(send({ ...toWeb, destination: { address: '10.96.0.10', port: 81 } })).toEqual({ kind: 'refused' })
    expect(send({ ...toWeb, destination: { address: '10.97.0.1', port: 81 } })).toEqual({ kind: 'refused' })
  })
  it('serves NodePorts on loopback only where asked for, and not to neighbours', async () => {
    const view = { ...node, nodePortAddresses: ['192.0.2.1', '127.0.0.1'] }
    const np = meaningOf(service('np', { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] }), ['10.1.1.1'], view)
    const packet = {
      ...toWeb,
      source: { class: 'node', address: '127.0.0.1' },
      destination: { address: '127.0.0.1', port: 30_080 },
    } as const
    const off = world()
    await off.backend.sync(change([np], true, view))
    expect(off.send(packet, view)).toEqual({ kind: 'refused' })
    const on = world({}, { localhostNodePorts: true })
    await on.backend.sync(change([np], true, view))
    expect(on.send(packet, view)).toMatchObject({ endpoint: '10.1.1.1:8080' })
    const neighbour = { ...packet, source: toWeb.source, destination: { address: '127.0.0.1', port: 22 } } as const
    expect(on.send(neighbour, view)).toEqual({ kind: 'dropped' })
  })
  it('lets health checks of load balancers in', async () => {
    const { iptables, backend } = world()
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 } as const
    await backend.sync(change([meaningOf(service('lb', spec), ['10.1.1.1'])], true))
    expect(iptables.saved(PLACE)).toMatch(/-A KUBE-NODEPORTS -p tcp .* --dport 31000 -j ACCEPT/)
  })
})

describe('a packet is traced', () => {
  it.each([
    ['through chains to every endpoint', 'outside', 80, ['KUBE-SERVICES', 'KUBE-SVC', 'KUBE-SEP', 'DNAT', 'KUBE-POSTROUTING']],
    ['to the rule that refuses it', 'node', 81, ['OUTPUT', 'KUBE-SERVICES', 'REJECT']],
  ] as const)('%s', async (_, source, number, words) => {
    const { backend } = world()
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'], true)], true))
    const packet = {
      ...toWeb,
      source: { class: source, address: source === 'node' ? '192.0.2.1' : '198.51.100.9' },
      destination: { address: '10.96.0.10', port: number },
    }
    const lines = backend.trace(packet)
    for (const word of words) expect(lines.join('\n')).toContain(word)
    expect(lines.filter((line) => line.includes('DNAT'))).toHaveLength(number === 80 ? 4 : 0)
    expect(lines.every((line) => /^-t (nat|filter) -A [\w-]+ /.test(line))).toBe(true)
  })
  it('through nothing when it concerns no Service', async () => {
    const { backend } = world()
    expect(backend.trace(toWeb)).toEqual([])
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(backend.trace({ ...toWeb, destination: { address: '198.51.100.80', port: 80 } })).toEqual([])
  })
})

describe('a machine that lacks something', () => {
  it('does not start, with a reason', async () => {
    const { backend } = world({ broken: { nft: 'iptables: no permission', legacy: 'iptables: no permission' } })
    await expect(backend.start(new AbortController().signal, () => {})).rejects.toThrow('iptables: no permission')
  })
  it('carries the others where the kernel refuses the rules of one Service, and says why; and that one once it changes', async () => {
    const { iptables, backend } = world({ refuses: /-p sctp/ })
    const stop = new AbortController()
    const reported: FrontendStatus[] = []
    const { stopped } = await backend.start(stop.signal, (status) => void reported.push(status))
    const at = (name: string, index: number, protocol: 'TCP' | 'SCTP') => {
      const clusterIP = `10.96.0.${index}`
      const object = service(name, { clusterIP, clusterIPs: [clusterIP], ports: [port(80, { protocol })] })
      const ports = [{ port: 8080, protocol, name: '' }]
      const slices = [slice(name, [endpoint('10.1.1.1', { nodeName: 'n1' })], { ports })]
      const meaning = serviceForwarding({ service: object, slices, node }, 'IPv4')
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    }
    const set = [10, 11, 12, 13, 14].map((index) => at(`s${index}`, index, index === 12 ? 'SCTP' : 'TCP'))
    await backend.sync(change(set, true))
    const reached = (index: number) =>
      sendThrough(iptables, { ...toWeb, destination: { address: `10.96.0.${index}`, port: 80 } }, { node }).kind
    expect([10, 11, 12, 13, 14].map(reached)).toEqual(['reached', 'reached', 'refused', 'reached', 'reached'])
    const status = { key: 'IPv4 default/s12', state: 'failed', message: expect.stringContaining('the kernel refuses its rules') }
    expect(backend.exceptions()).toMatchObject([status])
    expect(await backend.audit()).toEqual([])
    await backend.sync(change([at('s12', 12, 'TCP')]))
    expect(reached(12)).toBe('reached')
    expect(reported).toMatchObject([status, { key: 'IPv4 default/s12', state: 'serving' }])
    expect(backend.exceptions()).toEqual([])
    stop.abort()
    await stopped
  })
  it('takes the other flavour', async () => {
    const { iptables, backend } = world({ broken: { nft: 'nft does not work' } })
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(sendThrough(iptables, toWeb, { node, flavour: 'legacy' })).toMatchObject({ kind: 'reached' })
  })
  it('carries IPv4 where IPv6 is missing, and says which frontends it cannot serve', async () => {
    const { backend, send } = world({ broken: { IPv6: 'ip6tables (nft): the kernel has no IPv6' } })
    const stop = new AbortController()
    const reported: FrontendStatus[] = []
    const { stopped } = await backend.start(stop.signal, (status) => void reported.push(status))
    const six = meaningOf(service('six', { clusterIP: 'fd00:96::1', clusterIPs: ['fd00:96::1'] }), ['fd00:1::1'], node6)
    await backend.sync(change([web(['10.1.1.1']), six], true))
    await backend.sync(change([six]))
    expect(send()).toMatchObject({ kind: 'reached' })
    const status = { key: six.key, state: 'failed', address: 'fd00:96::1', message: 'ip6tables (nft): the kernel has no IPv6' }
    expect(backend.exceptions()).toMatchObject([status])
    await backend.sync({ full: false, set: [], delete: [six.key], node })
    expect(reported).toMatchObject([status, { key: six.key, state: 'gone' }])
    expect(backend.exceptions()).toEqual([])
    stop.abort()
    await stopped
  })
})
