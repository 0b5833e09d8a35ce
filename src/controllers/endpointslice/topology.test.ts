import { describe, expect, it } from 'vitest'
import { endpointSliceKind, eventKind, type Node, nodeKind, podKind, serviceKind } from '../../api/index.ts'
import { withControllers } from '../testing/rig.ts'
import { createEndpointSliceController } from './index.ts'

const ZONES = ['a', 'b'] as const

const node = (zone: string, cpu: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${zone}`, labels: { 'topology.kubernetes.io/zone': zone } },
  spec: {},
  status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] },
})

describe('topology mode Auto', () => {
  it('hints by processors, follows a node that grows, and says when hints come and go', () =>
    withControllers(
      (deps) => [createEndpointSliceController(deps)],
      async ({ api, advance }) => {
        for (const zone of ZONES) api.put(nodeKind, node(zone, '4'))
        api.put(serviceKind, {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'web', namespace: 'default', annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
          spec: {
            selector: { app: 'web' },
            ipFamilies: ['IPv4'],
            clusterIP: '10.96.0.1',
            ports: [{ port: 80, protocol: 'TCP' }],
          },
        })
        for (const [at, zone] of ['a', 'a', 'a', 'b', 'b', 'b'].entries()) {
          api.put(podKind, {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: `web-${at}`, namespace: 'default', labels: { app: 'web' } },
            spec: { nodeName: `node-${zone}`, containers: [] },
            status: { phase: 'Running', podIP: `10.0.0.${at + 1}`, conditions: [{ type: 'Ready', status: 'True' }] },
          })
        }
        await advance(2_000)
        const hints = (): string =>
          api
            .objects(endpointSliceKind)
            .flatMap((slice) => slice.endpoints ?? [])
            .sort((one, other) => ((one.targetRef?.name ?? '') < (other.targetRef?.name ?? '') ? -1 : 1))
            .map(({ hints: each }) => each?.forZones?.[0]?.name ?? '-')
            .join('')
        const reasons = (): readonly string[] => api.objects(eventKind).map(({ reason }) => reason ?? '')
        expect(hints()).toBe('aaabbb')
        expect(reasons()).toContain('TopologyAwareHintsEnabled')
        api.put(nodeKind, node('a', '12'))
        await advance(2_000)
        expect(
          hints()
            .split('')
            .filter((zone) => zone === 'a').length,
        ).toBe(4)
        api.remove(nodeKind, { name: 'node-b' })
        await advance(2_000)
        expect(hints()).not.toMatch(/[ab]/)
        expect(reasons()).toContain('TopologyAwareHintsDisabled')
      },
    ))
})
