import { describe, expect, it } from 'vitest'
import type { Service } from '../api/index.ts'
import { serviceEssence, serviceForwarding, sliceEssence } from './index.ts'
import { draining, endpoint, node, port, ready, service, slice, vips } from './testing/index.ts'

const POD = { kind: 'Pod', name: 'web-1', namespace: 'default', uid: 'u1' }
const LABELS = { app: 'web', 'service.kubernetes.io/service-proxy-name': 'other' }
const RANGES = { 'service.beta.kubernetes.io/load-balancer-source-ranges': '192.0.2.0/24', note: 'x' }
const METADATA = { uid: 'u', resourceVersion: '7', creationTimestamp: '2026-11-25T10:00:00Z', generation: 3 }

const SERVICES: readonly (readonly [string, Service])[] = [
  ['a plain one', service('web', { selector: { app: 'web' } }, { metadata: METADATA })],
  ['one of another proxy', service('web', {}, { metadata: { labels: LABELS } })],
  [
    'a load balancer with its ranges in an annotation',
    service(
      'web',
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP', healthCheckNodePort: 31_000 },
      { metadata: { annotations: RANGES }, status: vips('203.0.113.1') },
    ),
  ],
  [
    'one with NodePort and externalIP',
    service('web', { type: 'NodePort', externalIPs: ['198.51.100.7'], ports: [port(80, { nodePort: 30_080 })] }),
  ],
]
const SLICE = slice('web', [
  endpoint('10.1.1.1', { ...ready, nodeName: 'n1', zone: 'a', targetRef: POD, hostname: 'web-1' }),
  endpoint('10.1.1.2', { ...draining, nodeName: 'n2', hints: { forZones: [{ name: 'a' }] } }),
  endpoint('10.1.1.3'),
])

describe('what a cache keeps of Services and EndpointSlices', () => {
  it.each(SERVICES)('means the same: %s', (_, object) => {
    const whole = serviceForwarding({ service: object, slices: [SLICE], node: node() }, 'IPv4')
    const kept = serviceForwarding({ service: serviceEssence(object), slices: [sliceEssence(SLICE)], node: node() }, 'IPv4')
    expect(JSON.stringify(kept)).toBe(JSON.stringify(whole))
  })
  it('names the object and its version, and when its pods changed', () => {
    const trigger = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-11-25T10:00:00Z' }
    const metadata = { ...METADATA, name: 'web-1', namespace: 'default', annotations: { ...trigger, note: 'x' } }
    const owned = { ...metadata, labels: { ...SLICE.metadata.labels, app: 'web' }, ownerReferences: [] }
    const { generation: _, ...named } = metadata
    expect(sliceEssence({ ...SLICE, metadata: owned }).metadata).toEqual({
      ...named,
      labels: { 'kubernetes.io/service-name': 'web' },
      annotations: trigger,
    })
  })
})
