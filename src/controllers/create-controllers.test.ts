import { describe, expect, it } from 'vitest'
import {
  type Deployment,
  deploymentKind,
  endpointSliceKind,
  eventKind,
  namespaceKind,
  nodeKind,
  podKind,
  replicaSetKind,
  type Service,
  serviceKind,
} from '../api/index.ts'
import { createControllers } from './create-controllers.ts'
import { type Rig, readyNode, runPods, withControllers } from './testing/rig.ts'

const deployment = (name: string, replicas: number, image = 'echo:1'): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } } as never,
      spec: { containers: [{ name: 'main', image, ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }] },
    },
  },
})

const service = (name: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { selector: { app: name }, clusterIP: '10.96.0.10', ports: [{ port: 80, protocol: 'TCP', targetPort: 'http' }] },
})

/** Lets controllers and the kubelet work until nothing changes any more. */
const workItOut = async ({ api, clock, advance }: Rig): Promise<void> => {
  for (let round = 0; round < 40; round++) {
    runPods(api, clock)
    await advance(1_000)
  }
}

describe('all controllers together', () => {
  it('brings a Deployment to running pods behind a Service, rolls it over, scales it, and deletes nothing it should not', () =>
    withControllers(createControllers, async (rig) => {
      const { api, advance } = rig
      api.put(nodeKind, readyNode('one'))
      await api.client.create(deploymentKind, deployment('web', 3))
      await api.client.create(serviceKind, service('web'))
      await advance()
      expect(api.objects(podKind)).toHaveLength(3)
      await workItOut(rig)
      const status = api.objects(deploymentKind)[0]?.status
      expect(status).toMatchObject({ replicas: 3, updatedReplicas: 3, availableReplicas: 3, unavailableReplicas: 0 })
      expect(status?.conditions?.map(({ type, status: value, reason }) => `${type} ${value} ${reason}`)).toEqual([
        'Available True MinimumReplicasAvailable',
        'Progressing True NewReplicaSetAvailable',
      ])
      const [slice, ...others] = api.objects(endpointSliceKind)
      expect(others).toEqual([])
      expect(slice?.ports).toEqual([{ name: '', protocol: 'TCP', port: 8080 }])
      expect(slice?.endpoints?.map(({ conditions }) => conditions?.ready)).toEqual([true, true, true])

      await api.client.patch(
        deploymentKind,
        { namespace: 'default', name: 'web' },
        { type: 'json', operations: [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'echo:2' }] },
      )
      await workItOut(rig)
      expect(api.objects(podKind).map(({ spec }) => spec.containers[0]?.image)).toEqual(['echo:2', 'echo:2', 'echo:2'])
      expect(
        api
          .objects(replicaSetKind)
          .map(({ spec, metadata }) => `${metadata.annotations?.['deployment.kubernetes.io/revision']}: ${spec.replicas}`)
          .toSorted(),
      ).toEqual(['1: 0', '2: 3'])

      await api.client.patch(
        deploymentKind,
        { namespace: 'default', name: 'web' },
        { type: 'merge', value: { spec: { replicas: 1 } } },
      )
      await workItOut(rig)
      expect(api.objects(podKind)).toHaveLength(1)
      expect(api.objects(endpointSliceKind)[0]?.endpoints).toHaveLength(1)
      expect(rig.writes().length).toBeGreaterThan(0)
      await workItOut(rig)
      expect(rig.writes(), 'writes when nothing changes').toEqual([])
      expect(api.objects(eventKind).map(({ reason }) => reason)).toContain('ScalingReplicaSet')
    }))

  it('says why a pod waits, and places it when a node comes', () =>
    withControllers(createControllers, async (rig) => {
      const { api, advance } = rig
      await api.client.create(deploymentKind, deployment('web', 1))
      await advance()
      const [pod] = api.objects(podKind)
      expect(pod?.status?.conditions?.[0]).toMatchObject({ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' })
      expect(api.objects(eventKind).find(({ reason }) => reason === 'FailedScheduling')?.message).toBe(
        'no nodes available to schedule pods',
      )
      api.put(nodeKind, readyNode('one'))
      await advance()
      expect(api.objects(podKind)[0]?.spec.nodeName).toBe('one')
    }))

  it('empties a namespace, waits for what is held, and lets it go', () =>
    withControllers(createControllers, async (rig) => {
      const { api, advance, clock } = rig
      api.put(nodeKind, readyNode('one'))
      await api.client.create(namespaceKind, { metadata: { name: 'default' }, spec: {} })
      await api.client.create(deploymentKind, deployment('web', 2))
      await advance()
      await api.client.delete(namespaceKind, { name: 'default' })
      await advance()
      expect(api.objects(deploymentKind)).toEqual([])
      expect(api.objects(podKind)).toHaveLength(2)
      const conditions = api.objects(namespaceKind)[0]?.status?.conditions ?? []
      expect(conditions.find(({ type }) => type === 'NamespaceContentRemaining')?.message).toContain(
        'pods has 2 resource instances',
      )
      runPods(api, clock)
      await advance()
      expect(api.objects(namespaceKind)).toEqual([])
    }))
})
