import { describe, expect, it } from 'vitest'
import type { Service } from '../api/index.ts'
import { type Forwarding, serviceForwarding } from './index.ts'
import { draining, endpoint, node, port, service, slice, unready, vips } from './testing/index.ts'

const meaning = (
  object: Service,
  slices = [slice('web', [endpoint('10.1.1.1', { nodeName: 'n1' })])],
  family: 'IPv4' | 'IPv6' = 'IPv4',
) => serviceForwarding({ service: object, slices, node: node() }, family)

const forwarding = (...args: Parameters<typeof meaning>): Forwarding => {
  const result = meaning(...args)
  if (result.kind !== 'forwarding') throw new Error(result.reason)
  return result.forwarding
}

const frontends = (object: Service) =>
  forwarding(object).ports.flatMap(({ protocol, frontends: all }) =>
    all.map(({ kind, address = '*', port: number }) => `${kind} ${protocol} ${address}:${number}`),
  )

describe('which Services are forwarded', () => {
  it.each([
    ['ExternalName', service('web', { type: 'ExternalName', externalName: 'example.com' }), 'ExternalName'],
    ['headless', service('web', { clusterIP: 'None', clusterIPs: ['None'] }), 'Headless'],
    ['no address yet', service('web', { clusterIP: '', clusterIPs: [] }), 'NoClusterIP'],
    ['only another family', service('web', { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] }), 'OtherFamily'],
    ['an address that is none', service('web', { clusterIP: 'x', clusterIPs: ['x'] }), 'InvalidClusterIP'],
    [
      'another proxy',
      service('web', {}, { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } } }),
      'ServiceProxyName',
    ],
  ])('not: %s', (_title, object, reason) => {
    expect(meaning(object)).toEqual({ kind: 'none', reason })
  })

  it('reads clusterIP of an object from before clusterIPs', () => {
    const old = service('web')
    const { clusterIPs: _left, ...spec } = old.spec
    expect(forwarding({ ...old, spec }).clusterIP).toBe('10.96.0.10')
  })

  it('takes a dual-stack Service as two single-family ones', () => {
    const dual = service('web', { clusterIPs: ['10.96.0.10', 'fd00:96::10'], externalIPs: ['198.51.100.1', '2001:db8::1'] })
    const slices = [
      slice('web', [endpoint('10.1.1.1')]),
      slice('web', [endpoint('fd00:1::1')], { addressType: 'IPv6', metadata: { name: 'web-6' } }),
    ]
    const four = forwarding(dual, slices, 'IPv4')
    const six = forwarding(dual, slices, 'IPv6')
    expect(four.ports[0]?.cluster).toEqual([{ address: '10.1.1.1', port: 8080 }])
    expect(six.ports[0]?.cluster).toEqual([{ address: 'fd00:1::1', port: 8080 }])
    expect(six.ports[0]?.frontends.map(({ address }) => address)).toEqual(['fd00:96::10', '2001:db8::1'])
    expect(four.key).not.toBe(six.key)
  })
})

describe('frontends', () => {
  it('lists every address and port once', () => {
    const object = service(
      'web',
      {
        type: 'LoadBalancer',
        externalIPs: ['198.51.100.1', '198.51.100.1', '203.0.113.1'],
        ports: [port(80, { name: 'http', nodePort: 30080 }), port(53, { name: 'dns', protocol: 'UDP', nodePort: 30080 })],
      },
      { status: vips('203.0.113.1') },
    )
    expect(frontends(object)).toEqual([
      'ClusterIP TCP 10.96.0.10:80',
      'LoadBalancer TCP 203.0.113.1:80',
      'ExternalIP TCP 198.51.100.1:80',
      'NodePort TCP *:30080',
      'ClusterIP UDP 10.96.0.10:53',
      'LoadBalancer UDP 203.0.113.1:53',
      'ExternalIP UDP 198.51.100.1:53',
      'NodePort UDP *:30080',
    ])
  })

  it.each([
    ['ipMode Proxy', { ip: '203.0.113.1', ipMode: 'Proxy' as const }],
    ['a hostname only', { hostname: 'lb.example.com' }],
    ['the other family', { ip: '2001:db8::1' }],
  ])('makes no VIP for %s', (_title, ingress) => {
    const object = service('web', { type: 'LoadBalancer' }, { status: { loadBalancer: { ingress: [ingress] } } })
    expect(frontends(object)).toEqual(['ClusterIP TCP 10.96.0.10:80'])
  })

  it('takes no VIP from the status of a Service that is no LoadBalancer any more', () => {
    expect(frontends(service('web', {}, { status: vips('203.0.113.1') }))).toEqual(['ClusterIP TCP 10.96.0.10:80'])
  })

  it('takes no node port of a ClusterIP Service', () => {
    expect(frontends(service('web', { ports: [port(80, { nodePort: 30080 })] }))).toEqual(['ClusterIP TCP 10.96.0.10:80'])
  })

  it.each(['0.0.0.0', '224.0.0.1', '255.255.255.255', 'localhost', '1'.repeat(1_000_000)])('never binds %.20s', (address) => {
    const result = meaning(service('web', { externalIPs: [address, '198.51.100.1'] }))
    if (result.kind !== 'forwarding') throw new Error(result.reason)
    expect(result.forwarding.ports[0]?.frontends.map((each) => each.address)).toEqual(['10.96.0.10', '198.51.100.1'])
    expect(result.problems).toMatchObject([{ path: 'spec.externalIPs[0]' }])
  })

  it('leaves out a port that is none and keeps the others', () => {
    const result = meaning(service('web', { ports: [port(0), port(80), port(70_000)] }))
    if (result.kind !== 'forwarding') throw new Error(result.reason)
    expect(result.forwarding.ports.map((each) => each.port)).toEqual([80])
    expect(result.problems.map(({ path }) => path)).toEqual(['spec.ports[0].port', 'spec.ports[2].port'])
  })
})

describe('source ranges', () => {
  const filter = (ranges: readonly string[], rest: Partial<Service['metadata']> = {}) =>
    forwarding(
      service(
        'web',
        { type: 'LoadBalancer', loadBalancerSourceRanges: [...ranges] },
        { status: vips('203.0.113.1'), metadata: rest },
      ),
    ).ports[0]?.frontends.find(({ kind }) => kind === 'LoadBalancer')?.allowedSources

  it.each([
    ['none', [], undefined],
    ['one, trimmed, host bits cleared', [' 10.9.8.7/8 '], { ranges: ['10.0.0.0/8'], vip: false }],
    ['duplicates', ['10.0.0.0/8', '10.0.0.0/8'], { ranges: ['10.0.0.0/8'], vip: false }],
    ['one that holds this node', ['192.0.2.0/24'], { ranges: ['192.0.2.0/24'], vip: true }],
    ['only the other family', ['2001:db8::/32'], undefined],
    ['nothing readable: nobody', ['everyone'], { ranges: [], vip: false }],
    ['something unreadable: only the rest', ['everyone', '10.0.0.0/8'], { ranges: ['10.0.0.0/8'], vip: false }],
    ['blanks', ['  '], undefined],
  ])('%s', (_title, ranges, expected) => {
    expect(filter(ranges)).toEqual(expected)
  })

  it('reads the old annotation where the field is empty', () => {
    const annotations = { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8, 172.16.0.0/12' }
    expect(filter([], { annotations })?.ranges).toEqual(['10.0.0.0/8', '172.16.0.0/12'])
    expect(filter(['192.168.0.0/16'], { annotations })?.ranges).toEqual(['192.168.0.0/16'])
  })

  it('filters nothing but VIPs', () => {
    const object = service(
      'web',
      {
        type: 'LoadBalancer',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        externalIPs: ['198.51.100.1'],
        ports: [port(80, { nodePort: 30080 })],
      },
      { status: vips('203.0.113.1') },
    )
    const filtered = forwarding(object).ports[0]?.frontends.filter(({ allowedSources }) => allowedSources !== undefined)
    expect(filtered?.map(({ kind }) => kind)).toEqual(['LoadBalancer'])
  })

  it('keeps the filter on an address that is a VIP and an external address', () => {
    const object = service(
      'web',
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'], externalIPs: ['203.0.113.1'] },
      { status: vips('203.0.113.1') },
    )
    const both = forwarding(object).ports[0]?.frontends.filter(({ address }) => address === '203.0.113.1')
    expect(both).toMatchObject([{ kind: 'LoadBalancer', allowedSources: { ranges: ['10.0.0.0/8'] } }])
  })
})

describe('affinity', () => {
  it.each([
    ['none', {}, undefined],
    ['the default timeout', { sessionAffinity: 'ClientIP' as const }, 10_800],
    ['a timeout', { sessionAffinity: 'ClientIP' as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }, 60],
  ])('%s', (_title, spec, expected) => {
    expect(forwarding(service('web', spec)).ports[0]?.affinityTimeoutSeconds).toBe(expected)
  })
})

describe('healthCheckNodePort', () => {
  const spec = { type: 'LoadBalancer' as const, externalTrafficPolicy: 'Local' as const, healthCheckNodePort: 32000 }
  const local = { nodeName: 'n1' }

  it('counts distinct addresses of ready endpoints on this node', () => {
    const slices = [
      slice('web', [
        endpoint('10.1.1.1', local),
        endpoint('10.1.1.2', { ...local, ...unready }),
        endpoint('10.1.1.3', { ...local, ...draining }),
        endpoint('10.1.2.1', { nodeName: 'n2' }),
      ]),
      slice('web', [endpoint('10.1.1.1', local)], { metadata: { name: 'b' }, ports: [{ name: 'x', port: 9 }] }),
    ]
    const ports = [port(80), port(81, { name: 'x' })]
    expect(forwarding(service('web', { ...spec, ports }), slices).healthCheck).toEqual({ port: 32000, localEndpoints: 1 })
  })

  it('is zero while only terminating endpoints remain, which still get traffic', () => {
    const result = forwarding(service('web', spec), [slice('web', [endpoint('10.1.1.1', { ...local, ...draining })])])
    expect(result.healthCheck).toEqual({ port: 32000, localEndpoints: 0 })
    expect(result.ports[0]?.local).toHaveLength(1)
  })

  it.each([
    ['policy Cluster', { ...spec, externalTrafficPolicy: 'Cluster' as const }],
    ['no LoadBalancer', { ...spec, type: 'NodePort' as const }],
    ['no port', { ...spec, healthCheckNodePort: 0 }],
  ])('is not there with %s', (_title, changed) => {
    expect(forwarding(service('web', changed)).healthCheck).toBeUndefined()
  })
})
