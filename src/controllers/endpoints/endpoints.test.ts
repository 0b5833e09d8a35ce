import { describe, expect, it } from 'vitest'
import {
  type Endpoints,
  endpointSliceKind,
  endpointsKind,
  nodeKind,
  type Pod,
  podKind,
  type Service,
  serviceKind,
} from '../../api/index.ts'
import { createEndpointSliceMirroringController } from '../endpointslicemirroring/index.ts'
import { readyNode, withControllers } from '../testing/rig.ts'
import { createEndpointsController } from './index.ts'

const pod = (index: number, ready = true): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `pod-${String(index).padStart(4, '0')}`, namespace: 'default', labels: { app: 'web' } },
  spec: { nodeName: 'one', containers: [] },
  status: {
    phase: 'Running',
    podIP: `10.0.${index >> 8}.${index & 255}`,
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})

const service = (selector: Readonly<Record<string, string>> = { app: 'web' }): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }], selector },
})

const byHand = (rest: Partial<Endpoints> = {}): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  subsets: [
    {
      addresses: [{ ip: '192.0.2.1' }, { ip: 'fd00::1' }],
      notReadyAddresses: [{ ip: '192.0.2.2' }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  ],
  ...rest,
})

describe('Endpoints', () => {
  it('follow the pods of a Service, ready and not', () =>
    withControllers(
      (deps) => [createEndpointsController(deps)],
      async ({ api, advance }) => {
        api.put(serviceKind, service())
        api.put(podKind, pod(1))
        api.put(podKind, pod(2, false))
        await advance(1_000)
        const [endpoints] = api.objects(endpointsKind)
        expect(endpoints?.subsets?.[0]).toMatchObject({
          addresses: [{ ip: '10.0.0.1', nodeName: 'one', targetRef: { kind: 'Pod', name: 'pod-0001' } }],
          notReadyAddresses: [{ ip: '10.0.0.2' }],
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        })
        expect(endpoints?.metadata.labels).toEqual({ team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' })
        api.remove(podKind, { namespace: 'default', name: 'pod-0001' })
        api.remove(podKind, { namespace: 'default', name: 'pod-0002' })
        await advance(1_000)
        expect(api.objects(endpointsKind)[0]?.subsets).toEqual([])
        api.remove(serviceKind, { namespace: 'default', name: 'web' })
        await advance(1_000)
        expect(api.objects(endpointsKind)).toEqual([])
      },
    ))

  it('end at 1000 addresses, ready ones first, and say so', () =>
    withControllers(
      (deps) => [createEndpointsController(deps)],
      async ({ api, advance }) => {
        api.put(serviceKind, service())
        for (let i = 1; i <= 1001; i++) api.put(podKind, pod(i, i > 1))
        await advance(1_000)
        const over = () => api.objects(endpointsKind)[0]?.metadata.annotations?.['endpoints.kubernetes.io/over-capacity']
        expect(api.objects(endpointsKind)[0]?.subsets?.[0]?.addresses).toHaveLength(1000)
        expect(over()).toBe('truncated')
        api.remove(podKind, { namespace: 'default', name: 'pod-0009' })
        await advance(1_000)
        expect(over()).toBeUndefined()
      },
    ))

  it('that somebody wrote before the Service stay', () =>
    withControllers(
      (deps) => [createEndpointsController(deps)],
      async ({ api, advance }) => {
        api.put(endpointsKind, byHand())
        await advance(1_000)
        api.put(serviceKind, service({}))
        await advance(1_000)
        expect(api.objects(endpointsKind)).toHaveLength(1)
      },
    ))
})

describe('mirroring', () => {
  it('makes slices of hand-written Endpoints, one family and port list each', () =>
    withControllers(
      (deps) => [createEndpointSliceMirroringController(deps)],
      async ({ api, advance }) => {
        api.put(nodeKind, readyNode('one'))
        const selectorless = service({})
        api.put(serviceKind, selectorless)
        api.put(endpointsKind, byHand())
        await advance()
        const shown = () =>
          api
            .objects(endpointSliceKind)
            .map(
              ({ addressType, ports, endpoints }) =>
                `${addressType} ${ports?.[0]?.port} ${endpoints?.map(({ addresses, conditions }) => `${addresses[0]}:${conditions?.ready}`)}`,
            )
            .toSorted()
        expect(shown()).toEqual(['IPv4 8080 192.0.2.1:true,192.0.2.2:false', 'IPv6 8080 fd00::1:true'])
        expect(api.objects(endpointSliceKind)[0]?.metadata).toMatchObject({
          labels: {
            team: 'a',
            'kubernetes.io/service-name': 'web',
            'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
          },
          ownerReferences: [{ kind: 'Endpoints', name: 'web', controller: true }],
        })
        const known = api.objects(endpointsKind)[0]
        api.put(endpointsKind, {
          ...byHand({ subsets: [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 1, protocol: 'TCP' }] }] }),
          metadata: known?.metadata ?? { name: 'web' },
        })
        await advance()
        expect(shown()).toEqual(['IPv4 1 192.0.2.9:true'])
        api.put(serviceKind, {
          ...service(),
          metadata: { ...selectorless.metadata, uid: api.objects(serviceKind)[0]?.metadata.uid ?? '' },
        })
        await advance()
        expect(shown()).toEqual([])
      },
    ))

  it.each([
    ['a label says so', { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }],
    ['they are the lock of a leader election', { annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } }],
  ])('leaves Endpoints alone when %s', (_, metadata) =>
    withControllers(
      (deps) => [createEndpointSliceMirroringController(deps)],
      async ({ api, advance }) => {
        api.put(serviceKind, service({}))
        api.put(endpointsKind, byHand({ metadata: { name: 'web', namespace: 'default', ...metadata } }))
        await advance()
        expect(api.objects(endpointSliceKind)).toEqual([])
      },
    ),
  )
})
