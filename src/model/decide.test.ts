import { describe, expect, it } from 'vitest'
import type { Endpoint, Service } from '../api/index.ts'
import { decide, type NodeView, type Packet, type SourceClass, serviceForwarding } from './index.ts'
import { node as aNode, endpoint, port, service, slice, vips } from './testing/index.ts'

const SOURCES: Readonly<Record<SourceClass, string>> = { pod: '10.1.1.9', node: '192.0.2.1', outside: '198.51.100.99' }

interface Scene {
  readonly service: Service
  readonly endpoints: readonly Endpoint[]
  readonly node?: Partial<NodeView>
}

const verdict = (scene: Scene, to: string, from: SourceClass | string = 'pod', protocol: Packet['protocol'] = 'TCP') => {
  const node = aNode(scene.node)
  const result = serviceForwarding({ service: scene.service, slices: [slice('web', scene.endpoints)], node }, 'IPv4')
  if (result.kind !== 'forwarding') throw new Error(result.reason)
  const [address = '', number = ''] = to.split(':')
  const source: Packet['source'] = isClass(from) ? { class: from, address: SOURCES[from] } : { class: 'pod', address: from }
  return decide(result.forwarding, { source, destination: { address, port: Number(number) }, protocol }, node)
}

const isClass = (from: string): from is SourceClass => from in SOURCES

/** The end of each candidate's address with `snat` where it is masqueraded, or the refusal with its reason. */
const short = (...args: Parameters<typeof verdict>): string => {
  const result = verdict(...args)
  if (result.kind === 'none') return 'none'
  if (result.kind !== 'dnat') return `${result.kind} ${result.reason}`
  return result.candidates.map(({ address, masquerade }) => `${address.slice(5)}${masquerade ? ' snat' : ''}`).join(', ')
}

const here = endpoint('10.1.1.1', { nodeName: 'n1' })
const away = endpoint('10.1.2.1', { nodeName: 'n2' })
const CLUSTER_IP = '10.96.0.10:80'
const NODE_PORT = '192.0.2.1:30080'
const VIP = '203.0.113.1:80'
const EXTERNAL = '198.51.100.1:80'

const balanced = (spec: Partial<Service['spec']> = {}): Service =>
  service(
    'web',
    { type: 'LoadBalancer', externalIPs: ['198.51.100.1'], ports: [port(80, { nodePort: 30080 })], ...spec },
    { status: vips('203.0.113.1') },
  )
const both = [here, away]
const local = balanced({ externalTrafficPolicy: 'Local' })

describe('to a ClusterIP', () => {
  it.each([
    ['pods keep their address', { service: service('web'), endpoints: both }, 'pod', '1.1, 2.1'],
    ['so does the node', { service: service('web'), endpoints: both }, 'node', '1.1, 2.1'],
    ['outside is masqueraded', { service: service('web'), endpoints: both }, 'outside', '1.1 snat, 2.1 snat'],
    [
      'outside is kept without a local detector',
      { service: service('web'), endpoints: both, node: { podCIDRs: [] } },
      'outside',
      '1.1, 2.1',
    ],
    ['masqueradeAll', { service: service('web'), endpoints: both, node: { masqueradeAll: true } }, 'pod', '1.1 snat, 2.1 snat'],
    ['a pod that meets itself', { service: service('web'), endpoints: both }, '10.1.1.1', '1.1 snat, 2.1'],
    ['nobody there', { service: service('web'), endpoints: [] }, 'pod', 'reject NoEndpoints'],
    ['policy Local', { service: service('web', { internalTrafficPolicy: 'Local' }), endpoints: both }, 'pod', '1.1'],
    [
      'policy Local, none here',
      { service: service('web', { internalTrafficPolicy: 'Local' }), endpoints: [away] },
      'pod',
      'drop NoLocalEndpoints',
    ],
    [
      'policy Local, none anywhere',
      { service: service('web', { internalTrafficPolicy: 'Local' }), endpoints: [] },
      'pod',
      'reject NoEndpoints',
    ],
    ['externalTrafficPolicy Local does not count', { service: local, endpoints: [away] }, 'outside', '2.1 snat'],
  ] as const)('%s', (_title, scene, from, expected) => {
    expect(short(scene, CLUSTER_IP, from)).toBe(expected)
  })
})

describe.each([
  ['NodePort', NODE_PORT],
  ['VIP', VIP],
  ['externalIP', EXTERNAL],
])('to a %s', (_kind, to) => {
  it.each([
    ['pods are masqueraded', balanced(), both, 'pod', '1.1 snat, 2.1 snat'],
    ['outside is masqueraded', balanced(), both, 'outside', '1.1 snat, 2.1 snat'],
    ['nobody there', balanced(), [], 'outside', 'reject NoEndpoints'],
    ['Local, outside: kept', local, both, 'outside', '1.1'],
    ['Local, outside, none here', local, [away], 'outside', 'drop NoLocalEndpoints'],
    ['Local, outside, none anywhere', local, [], 'outside', 'reject NoEndpoints'],
    ['Local, pod: short circuit, kept', local, [away], 'pod', '2.1'],
    ['Local, node: short circuit, masqueraded', local, [away], 'node', '2.1 snat'],
    ['Local, pod that meets itself', local, both, '10.1.1.1', '1.1 snat, 2.1'],
    ['internalTrafficPolicy Local does not count', balanced({ internalTrafficPolicy: 'Local' }), [away], 'pod', '2.1 snat'],
  ] as const)('%s', (_title, object, endpoints, from, expected) => {
    expect(short({ service: object, endpoints }, to, from)).toBe(expected)
  })
})

describe('what is not ours', () => {
  const scene = { service: balanced(), endpoints: both }
  it.each([
    ['another address', '10.96.0.11:80', 'none'],
    ['an undefined port of the ClusterIP', '10.96.0.10:81', 'reject NoSuchPort'],
    ['the node port of the ClusterIP', '10.96.0.10:30080', 'reject NoSuchPort'],
    ['another port of a VIP', '203.0.113.1:22', 'none'],
    ['the node port at an address where none is served', '192.0.2.2:30080', 'none'],
    ['the Service port at the node', '192.0.2.1:80', 'none'],
  ])('%s', (_title, to, expected) => {
    expect(short(scene, to)).toBe(expected)
  })

  it('another protocol of a ClusterIP port', () => {
    expect(short(scene, CLUSTER_IP, 'pod', 'UDP')).toBe('reject NoSuchPort')
  })

  it('reads addresses in any form', () => {
    expect(short(scene, '010.096.000.010:80')).toBe('1.1, 2.1')
  })
})

describe('source ranges', () => {
  const ranged = balanced({ loadBalancerSourceRanges: ['10.1.1.0/24'] })
  it.each([
    ['an allowed source at the VIP', VIP, 'pod', '1.1 snat'],
    ['another at the VIP', VIP, 'outside', 'drop SourceNotAllowed'],
    ['another at the NodePort', NODE_PORT, 'outside', '1.1 snat'],
    ['another at the externalIP', EXTERNAL, 'outside', '1.1 snat'],
  ] as const)('%s', (_title, to, from, expected) => {
    expect(short({ service: ranged, endpoints: [here] }, to, from)).toBe(expected)
  })

  it('the VIP itself may be the source where the ranges hold this node', () => {
    const withNode = balanced({ loadBalancerSourceRanges: ['192.0.2.0/24'] })
    expect(short({ service: withNode, endpoints: [here] }, VIP, '203.0.113.1')).toBe('1.1 snat')
    expect(short({ service: ranged, endpoints: [here] }, VIP, '203.0.113.1')).toBe('drop SourceNotAllowed')
  })
})
