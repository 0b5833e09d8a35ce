import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Deployment, deploymentKind, nodeKind, podKind, replicaSetKind } from '../../api/index.ts'
import { createReplicaSetController } from '../replicaset/index.ts'
import { createScheduler } from '../scheduler/index.ts'
import { type Rig, readyNode, runPods, withControllers } from '../testing/rig.ts'
import { rolloutBounds } from './bounds.ts'
import { createDeploymentController } from './index.ts'
import { templateHash } from './template.ts'

const REVISION = 'deployment.kubernetes.io/revision'
const ref = { namespace: 'default', name: 'web' }

const deployment = (spec: Partial<Deployment['spec']> = {}, image = 'echo:1'): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    ...ref,
    annotations: { 'kubernetes.io/change-cause': image, 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } } as never, spec: { containers: [{ name: 'main', image }] } },
    ...spec,
  },
})

const withRollout = (spec: Partial<Deployment['spec']>, test: (rig: Rig) => Promise<void>): Promise<void> =>
  withControllers(
    (deps) => [createDeploymentController(deps), createReplicaSetController(deps), createScheduler(deps)],
    async (rig) => {
      rig.api.put(nodeKind, readyNode('one'))
      await rig.api.client.create(deploymentKind, deployment(spec))
      await rig.advance()
      await test(rig)
    },
  )

const workItOut = async ({ api, clock, advance }: Rig, rounds = 25): Promise<void> => {
  for (let round = 0; round < rounds; round++) {
    runPods(api, clock)
    await advance(1_000)
  }
}

const setImage = ({ api }: Rig, image: string): Promise<unknown> =>
  api.client.patch(deploymentKind, ref, {
    type: 'json',
    operations: [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }],
  })

const images = ({ api }: Rig): readonly string[] => api.objects(podKind).map(({ spec }) => spec.containers[0]?.image ?? '')
const progressing = ({ api }: Rig): string => {
  const found = api.objects(deploymentKind)[0]?.status?.conditions?.find(({ type }) => type === 'Progressing')
  return `${found?.status} ${found?.reason}`
}
const revisions = ({ api }: Rig): readonly string[] =>
  api
    .objects(replicaSetKind)
    .map(
      ({ metadata, spec }) => `${metadata.annotations?.[REVISION]} ${spec.template?.spec.containers[0]?.image} ${spec.replicas}`,
    )
    .toSorted()

describe('rollout bounds', () => {
  it.each([
    [10, undefined, undefined, 3, 2],
    [4, '25%', '25%', 1, 1],
    [3, '25%', '25%', 1, 0],
    [1, '25%', '25%', 1, 0],
    [10, 0, 0, 0, 1],
    [2, '100%', '150%', 2, 2],
    [5, 2, 9, 2, 5],
    [0, '50%', '50%', 0, 0],
  ])(
    'of %s replicas with maxSurge %s and maxUnavailable %s are %s and %s',
    (replicas, maxSurge, maxUnavailable, surge, unavailable) => {
      const rollingUpdate = {
        ...(maxSurge === undefined ? {} : { maxSurge }),
        ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
      }
      expect(rolloutBounds(deployment({ replicas, strategy: { rollingUpdate } }))).toEqual({
        replicas,
        maxSurge: surge,
        maxUnavailable: unavailable,
      })
    },
  )
})

describe('Deployment', () => {
  it('names templates by their content, not by the order of their fields', () => {
    const { template } = deployment().spec
    expect(templateHash(template)).toMatch(/^[b-z2-9]{7}$/)
    expect(templateHash({ spec: template.spec, metadata: template.metadata as never })).toBe(templateHash(template))
    expect(templateHash(template, 1)).not.toBe(templateHash(template))
  })

  it('never leaves its bounds during a rolling update, whatever order pods get ready in', async () => {
    const property = fc.asyncProperty(
      fc.constantFrom([1, 1], [2, 0], [0, 1]),
      fc.infiniteStream(fc.nat(99)),
      ([maxSurge = 1, maxUnavailable = 1], luck) =>
        withRollout({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } }, async (rig) => {
          await workItOut(rig)
          await setImage(rig, 'echo:2')
          for (let round = 0; round < 60; round++) {
            await rig.advance(1_000)
            const alive = rig.api.objects(podKind).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
            const ready = alive.filter(({ status }) => status?.phase === 'Running')
            expect(alive.length).toBeLessThanOrEqual(4 + maxSurge)
            expect(ready.length).toBeGreaterThanOrEqual(4 - maxUnavailable)
            runPods(rig.api, rig.clock, () => (luck.next().value ?? 0) > 50)
          }
          await workItOut(rig)
          expect(images(rig)).toEqual(Array(4).fill('echo:2'))
          expect(progressing(rig)).toBe('True NewReplicaSetAvailable')
        }),
    )
    await fc.assert(property, { numRuns: 12 })
  })

  it('lets no old pod run beside a new one with Recreate', () =>
    withRollout({ strategy: { type: 'Recreate' } }, async (rig) => {
      await workItOut(rig)
      await setImage(rig, 'echo:2')
      await rig.advance(1_000)
      expect(new Set(images(rig))).toEqual(new Set(['echo:1']))
      expect(rig.api.objects(podKind).every(({ metadata }) => metadata.deletionTimestamp !== undefined)).toBe(true)
      await workItOut(rig)
      expect(images(rig)).toEqual(Array(4).fill('echo:2'))
    }))

  it('keeps a history, and goes back to an old ReplicaSet under a new revision', () =>
    withRollout({ replicas: 1 }, async (rig) => {
      await workItOut(rig)
      await setImage(rig, 'echo:2')
      await workItOut(rig)
      await setImage(rig, 'echo:1')
      await workItOut(rig)
      expect(revisions(rig)).toEqual(['2 echo:2 0', '3 echo:1 1'])
      const annotations = rig.api.objects(replicaSetKind).find(({ spec }) => spec.replicas === 1)?.metadata.annotations
      expect(annotations).toMatchObject({
        'deployment.kubernetes.io/revision-history': '1',
        'kubernetes.io/change-cause': 'echo:1',
      })
      expect(annotations).not.toHaveProperty(['kubectl.kubernetes.io/last-applied-configuration'])
      expect(rig.api.objects(deploymentKind)[0]?.metadata.annotations?.[REVISION]).toBe('3')
    }))

  it('forgets old ReplicaSets beyond its history limit', () =>
    withRollout({ replicas: 1, revisionHistoryLimit: 1 }, async (rig) => {
      for (const image of ['echo:2', 'echo:3', 'echo:4']) {
        await workItOut(rig)
        await setImage(rig, image)
      }
      await workItOut(rig)
      expect(revisions(rig)).toEqual(['3 echo:3 0', '4 echo:4 1'])
    }))

  it('scales in proportion while a rollout is stuck', () =>
    withRollout({ replicas: 10, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }, async (rig) => {
      await workItOut(rig)
      await setImage(rig, 'broken')
      for (let round = 0; round < 20; round++) {
        runPods(rig.api, rig.clock, ({ spec }) => spec.containers[0]?.image !== 'broken')
        await rig.advance(1_000)
      }
      expect(revisions(rig)).toEqual(['1 echo:1 8', '2 broken 5'])
      await rig.api.client.patch(deploymentKind, ref, { type: 'merge', value: { spec: { replicas: 15 } } })
      await rig.advance(1_000)
      expect(revisions(rig)).toEqual(['1 echo:1 11', '2 broken 7'])
    }))

  it('says that it does not progress once its deadline has passed', () =>
    withRollout({ replicas: 1, progressDeadlineSeconds: 60 }, async (rig) => {
      await rig.advance(50_000)
      expect(progressing(rig)).toBe('True ReplicaSetUpdated')
      await rig.advance(15_000)
      expect(progressing(rig)).toBe('False ProgressDeadlineExceeded')
      await workItOut(rig)
      expect(progressing(rig)).toBe('True NewReplicaSetAvailable')
    }))

  it('changes only sizes while it is paused', () =>
    withRollout({ replicas: 1 }, async (rig) => {
      await workItOut(rig)
      await rig.api.client.patch(deploymentKind, ref, { type: 'merge', value: { spec: { paused: true } } })
      await setImage(rig, 'echo:2')
      await rig.api.client.patch(deploymentKind, ref, { type: 'merge', value: { spec: { replicas: 3 } } })
      await workItOut(rig)
      expect(revisions(rig)).toEqual(['1 echo:1 3'])
      expect(progressing(rig)).toBe('Unknown DeploymentPaused')
      await rig.api.client.patch(deploymentKind, ref, { type: 'merge', value: { spec: { paused: false } } })
      await workItOut(rig)
      expect(revisions(rig)).toEqual(['1 echo:1 0', '2 echo:2 3'])
    }))

  it('finds another name when its own is taken', () =>
    withControllers(
      (deps) => [createDeploymentController(deps)],
      async ({ api, advance }) => {
        const name = `web-${templateHash(deploymentKind.setDefaults(deployment()).spec.template)}`
        const spec = { selector: { matchLabels: { app: 'other' } }, replicas: 0 }
        api.put(replicaSetKind, { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { namespace: 'default', name }, spec })
        await api.client.create(deploymentKind, deployment())
        await advance(10_000)
        expect(api.objects(replicaSetKind)).toHaveLength(2)
        expect(api.objects(deploymentKind)[0]?.status?.collisionCount).toBe(1)
      },
    ))

  it('adopts a ReplicaSet that it selects', () =>
    withRollout({ replicas: 1 }, async (rig) => {
      const [own] = rig.api.objects(replicaSetKind)
      await rig.api.client.patch(
        replicaSetKind,
        { ...ref, name: own?.metadata.name ?? '' },
        { type: 'merge', value: { metadata: { ownerReferences: [] } } },
      )
      await rig.advance(1_000)
      expect(rig.api.objects(replicaSetKind).map(({ metadata }) => metadata.ownerReferences?.[0]?.name)).toEqual(['web'])
    }))
})
