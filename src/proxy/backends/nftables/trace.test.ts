import { beforeEach, describe, expect, it } from 'vitest'
import { fakeNft } from '../../../kernel/nft/testing/index.ts'
import { type Forwarding, type NodeView, type Packet, type SourceClass, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../model/testing/index.ts'
import type { Backend } from '../../backend.ts'
import { createNftablesBackend } from './index.ts'

const node: NodeView = { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] }
const SOURCES: Readonly<Record<SourceClass, string>> = { pod: '10.1.1.1', node: '192.0.2.1', outside: '198.51.100.9' }
const packet = (address: string, number: number, source: SourceClass = 'outside'): Packet => ({
  source: { class: source, address: SOURCES[source] },
  destination: { address, port: number },
  protocol: 'TCP',
})

const forwarding = (name: string, spec: NonNullable<Parameters<typeof service>[1]>, pods: readonly string[]): Forwarding => {
  const endpoints = pods.map((address) => endpoint(address, { nodeName: 'n2' }))
  const object = service(
    name,
    { ports: [port(80)], ...spec },
    spec.type === 'LoadBalancer' ? { status: vips('203.0.113.1') } : {},
  )
  const meaning = serviceForwarding({ service: object, slices: [slice(name, endpoints)], node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const at = (clusterIP: string) => ({ clusterIP, clusterIPs: [clusterIP] })

describe('the trace of a packet', () => {
  let backend: Backend
  beforeEach(async () => {
    backend = createNftablesBackend({ nft: fakeNft(), serviceCIDRs: ['10.96.0.0/16'] })
    const set = [
      forwarding('web', { ...at('10.96.0.10'), sessionAffinity: 'ClientIP' }, ['10.1.1.1', '10.1.2.1']),
      forwarding('empty', at('10.96.0.11'), []),
      forwarding(
        'local',
        { ...at('10.96.0.13'), type: 'NodePort', externalTrafficPolicy: 'Local', ports: [port(80, { nodePort: 30_080 })] },
        ['10.1.2.1'],
      ),
      forwarding(
        'vip',
        {
          ...at('10.96.0.12'),
          type: 'LoadBalancer',
          externalTrafficPolicy: 'Local',
          loadBalancerSourceRanges: ['198.51.100.0/24'],
        },
        ['10.1.2.1'],
      ),
    ]
    await backend.sync({ full: true, set, delete: [], node })
  })
  const key = 'ip daddr . meta l4proto . th dport'

  it('leads to the endpoints of a ClusterIP through the choice, with what remembers clients', () => {
    expect(
      backend.trace(packet('10.96.0.10', 80)).map((line) => line.replace(/\b[0-9a-f]{1,4}:[0-9a-f]{3,4}\b|\b\d{9,10}\b/g, 'N')),
    ).toEqual([
      'table ip fairway',
      'chain prerouting: goto dispatch',
      'map services: 10.96.0.10 . tcp . 80 : 2a30:2',
      'map verdicts: 2a30:2 : goto sticky-cluster-2-10800',
      ...[
        'pick-cluster-2: meta priority set numgen random mod 2 offset 1',
        'pick-cluster-2: goto to-endpoint',
        'stick-10800: update @affinity { ct mark . ip saddr timeout 10800s : meta priority }',
        'stick-10800: ct mark set 0',
        'stick-10800: meta l4proto tcp dnat ip to meta priority map @numbered',
        'stick-10800: meta l4proto udp dnat ip to meta priority map @numbered',
        'stick-10800: meta l4proto sctp dnat ip to meta priority map @numbered',
        'stick-10800: goto refuse',
        'sticky-cluster-2-10800: ct mark != 0 goto pick-cluster-2',
        `sticky-cluster-2-10800: ct mark set ${key} map @ports`,
        'sticky-cluster-2-10800: meta priority set ct mark . ip saddr map @affinity ct mark . meta priority @members goto stick-10800',
        'sticky-cluster-2-10800: meta priority set numgen random mod 2 offset 1',
        'sticky-cluster-2-10800: meta priority set ct mark . meta priority map @choices',
        'sticky-cluster-2-10800: delete @affinity { ct mark . ip saddr : meta priority }',
        'sticky-cluster-2-10800: goto stick-10800',
      ].map((rule) => `chain ${rule}`),
      'map endpoints: 10.96.0.10 . tcp . 80 . 0:1 : 10.1.1.1 . 8080',
      'map endpoints: 10.96.0.10 . tcp . 80 . 0:2 : 10.1.2.1 . 8080',
      'map ports: 10.96.0.10 . tcp . 80 : N',
      'map choices: N . 0:1 : N',
      'map choices: N . 0:2 : N',
      'map numbered: N : 10.1.1.1 . 8080',
      'map numbered: N : 10.1.2.1 . 8080',
      'set masquerades-outside: 10.96.0.10 . tcp . 80',
      'chain masquerading-outside: meta l4proto tcp ct original ip daddr . meta l4proto . ct original proto-dst @masquerades-outside masquerade fully-random',
    ])
  })
  it('shows that a pod may reach itself, and is masqueraded then', () => {
    expect(backend.trace(packet('10.96.0.10', 80, 'pod'))).toEqual(
      expect.arrayContaining(['chain prerouting: goto dispatch', 'set hairpin: 10.1.1.1 . 10.1.1.1']),
    )
  })
  it('shows the short circuit of policy Local for the node, and the drop for the world', () => {
    expect(backend.trace(packet('192.0.2.1', 30_080, 'node'))).toEqual(
      expect.arrayContaining([
        'map services: 192.0.2.1 . tcp . 30080 : ffff:3',
        'map verdicts: ffff:3 : goto by-source',
        'chain by-source: fib saddr type local goto from-node',
        'map services-node: 192.0.2.1 . tcp . 30080 : 0:1',
        'map verdicts-by-source: 0:1 : goto pick-cluster-1',
      ]),
    )
    expect(backend.trace(packet('192.0.2.1', 30_080)).slice(-2)).toEqual([
      'map services-outside: 192.0.2.1 . tcp . 30080 : ffff:2',
      'map verdicts-by-source: ffff:2 : drop',
    ])
  })
  it('shows which range lets a source in, or that none does', () => {
    expect(backend.trace(packet('203.0.113.1', 80, 'node'))).toEqual([
      'table ip fairway',
      'chain output: goto dispatch',
      'map services: 203.0.113.1 . tcp . 80 : ffff:3',
      'map verdicts: ffff:3 : goto by-source',
      'set restricted: 203.0.113.1 . tcp . 80',
      `chain by-source: ${key} @restricted ${key} . ip saddr != @allowed drop`,
    ])
    expect(backend.trace(packet('203.0.113.1', 80))).toEqual([
      'table ip fairway',
      'chain prerouting: goto dispatch',
      'map services: 203.0.113.1 . tcp . 80 : ffff:3',
      'map verdicts: ffff:3 : goto by-source',
      'set restricted: 203.0.113.1 . tcp . 80',
      'set allowed: 203.0.113.1 . tcp . 80 . 198.51.100.0/24',
      'chain by-source: goto from-outside',
      'map services-outside: 203.0.113.1 . tcp . 80 : ffff:2',
      'map verdicts-by-source: ffff:2 : drop',
    ])
  })
  it.each([
    ['a Service without endpoints', '10.96.0.11', 80, 'map verdicts: ffff:1 : goto refuse'],
    ['a port that the Service lacks', '10.96.0.11', 81, 'set cluster-ips: 10.96.0.11'],
    ['an address that no Service has', '10.96.9.9', 80, 'set service-cidrs: 10.96.0.0/16'],
  ])('shows why %s refuses', (_, address, number, line) => {
    const lines = backend.trace(packet(address, number))
    expect(lines).toContain(line)
    expect(lines.slice(-2)).toEqual(['chain refuse: meta l4proto tcp reject with tcp reset', 'chain refuse: reject'])
  })
  it('is empty for what concerns no Service, and before the first sync', () => {
    expect(backend.trace(packet('198.51.100.7', 80))).toEqual([])
    expect(backend.trace({ ...packet('10.96.0.10', 80), destination: { address: 'fd00::1', port: 80 } })).toEqual([])
    expect(createNftablesBackend({ nft: fakeNft(), serviceCIDRs: [] }).trace(packet('10.96.0.10', 80))).toEqual([])
  })
})
