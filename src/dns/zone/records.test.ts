import { describe, expect, it } from 'vitest'
import type { EndpointSlice, Service, ServiceSpec } from '../../api/index.ts'
import { serviceRecords, type ZoneRecord } from './records.ts'

const service = (spec: Partial<ServiceSpec>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec,
})

const slice = (partial: Partial<EndpointSlice>): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [],
  ...partial,
})

const lines = (spec: Partial<ServiceSpec>, slices: readonly EndpointSlice[] = []): readonly string[] =>
  serviceRecords({ service: service(spec), slices, domain: 'cluster.local' })
    .map(line)
    .sort()

const line = (record: ZoneRecord): string => {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `${record.name} ${record.type} ${record.address}`
    case 'SRV':
      return `${record.name} SRV ${record.port} ${record.target}`
    case 'TXT':
      return `${record.name} TXT ${record.text}`
    default:
      return `${record.name} ${record.type} ${record.target}`
  }
}

describe('records of a Service with cluster addresses', () => {
  it('has an address of each family, SRV for named ports only, and PTR', () => {
    const ports = [
      { name: 'http', protocol: 'TCP' as const, port: 80 },
      { protocol: 'UDP' as const, port: 53 },
    ]
    expect(lines({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], ports })).toEqual(
      [
        '7.0.96.10.in-addr.arpa PTR web.shop.svc.cluster.local',
        `7${'.0'.repeat(29)}.d.f.ip6.arpa PTR web.shop.svc.cluster.local`,
        '_http._tcp.web.shop.svc.cluster.local SRV 80 web.shop.svc.cluster.local',
        'web.shop.svc.cluster.local A 10.96.0.7',
        'web.shop.svc.cluster.local AAAA fd00::7',
      ].sort(),
    )
  })

  it('has nothing before an address is allocated', () => {
    expect(lines({ ports: [{ name: 'http', protocol: 'TCP', port: 80 }] })).toEqual([])
  })
})

describe('records of a headless Service', () => {
  const endpoints = [
    { addresses: ['10.0.0.1'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.0.0.2'], conditions: {} },
    { addresses: ['10.0.0.3'], conditions: { ready: false } },
  ]

  it('has the ready endpoints, by hostname or by dashed address; nil ready counts as ready', () => {
    const ports = [{ name: 'pg', protocol: 'TCP' as const, port: 5432 }]
    expect(lines({ clusterIP: 'None' }, [slice({ endpoints, ports })])).toEqual([
      '1.0.0.10.in-addr.arpa PTR db-0.web.shop.svc.cluster.local',
      '10-0-0-2.web.shop.svc.cluster.local A 10.0.0.2',
      '2.0.0.10.in-addr.arpa PTR 10-0-0-2.web.shop.svc.cluster.local',
      '_pg._tcp.web.shop.svc.cluster.local SRV 5432 10-0-0-2.web.shop.svc.cluster.local',
      '_pg._tcp.web.shop.svc.cluster.local SRV 5432 db-0.web.shop.svc.cluster.local',
      'db-0.web.shop.svc.cluster.local A 10.0.0.1',
      'web.shop.svc.cluster.local A 10.0.0.1',
      'web.shop.svc.cluster.local A 10.0.0.2',
    ])
  })

  it('has an endpoint of two slices once', () => {
    const twice = [slice({ endpoints: endpoints.slice(0, 1) }), slice({ endpoints: endpoints.slice(0, 1) })]
    expect(lines({ clusterIP: 'None' }, twice)).toHaveLength(3)
  })

  it('ignores slices of host names', () => {
    expect(lines({ clusterIP: 'None' }, [slice({ addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] })])).toEqual([])
  })
})

describe('records of an ExternalName Service', () => {
  it.each([
    ['example.com', 'web.shop.svc.cluster.local CNAME example.com'],
    ['Example.COM.', 'web.shop.svc.cluster.local CNAME example.com'],
    ['10.1.2.3', 'web.shop.svc.cluster.local CNAME 10.1.2.3'],
  ])('%s becomes an alias', (externalName, expected) => {
    expect(lines({ type: 'ExternalName', externalName })).toEqual([expected])
  })
})
