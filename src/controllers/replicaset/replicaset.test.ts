import { describe, expect, it } from 'vitest'
import { ApiError, eventKind, type Pod, podKind, type ReplicaSet, replicaSetKind } from '../../api/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { fakeInformer } from '../../informers/testing/index.ts'
import { type Rig, withControllers } from '../testing/rig.ts'
import { createWriteMemory } from '../write-memory.ts'
import { byDeletionOrder } from './deletion-order.ts'
import { createReplicaSetController } from './index.ts'

const replicaSet = (replicas: number, spec: Partial<ReplicaSet['spec']> = {}): ReplicaSet => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'web', namespace: 'default', uid: 'rs-uid' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } } as never, spec: { containers: [{ name: 'main', image: 'echo' }] } },
    ...spec,
  },
})

const withReplicaSet = (
  object: ReplicaSet,
  test: (rig: Rig & { scale(replicas: number): Promise<void> }) => Promise<void>,
): Promise<void> =>
  withControllers(
    (deps) => [createReplicaSetController(deps)],
    async (rig) => {
      rig.api.put(replicaSetKind, object)
      await rig.advance()
      await test({
        ...rig,
        scale: async (replicas) => {
          await rig.api.client.patch(
            replicaSetKind,
            { namespace: 'default', name: 'web' },
            { type: 'merge', value: { spec: { replicas } } },
          )
          await rig.advance(2_000)
        },
      })
    },
  )

const ready = (pod: Pod, at = '2026-01-01T00:00:00Z'): Pod => ({
  ...pod,
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }] },
})

describe('ReplicaSet', () => {
  it('creates and deletes pods, and says so', () =>
    withReplicaSet(replicaSet(3), async ({ api, scale }) => {
      expect(api.objects(podKind)).toHaveLength(3)
      expect(api.objects(podKind)[0]?.metadata).toMatchObject({
        name: expect.stringMatching(/^web-.{5}$/),
        labels: { app: 'web' },
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs-uid', controller: true, blockOwnerDeletion: true },
        ],
      })
      await scale(1)
      expect(api.objects(podKind)).toHaveLength(1)
      expect(
        api
          .objects(eventKind)
          .map(({ reason }) => reason)
          .toSorted(),
      ).toEqual(['SuccessfulCreate', 'SuccessfulCreate', 'SuccessfulCreate', 'SuccessfulDelete', 'SuccessfulDelete'])
    }))

  it('creates nothing twice while its cache is behind', () =>
    withReplicaSet(replicaSet(0), async ({ api, scale, advance }) => {
      const creates = () => api.requests.filter(({ verb, resource }) => verb === 'create' && resource === 'pods').length
      api.intercept = ({ verb, resource }) => {
        // From the first create on, its informer of pods hears nothing.
        if (verb === 'create' && resource === 'pods' && creates() === 1) api.breakWatches('silent')
      }
      await scale(3)
      expect(creates()).toBe(3)
      api.put(replicaSetKind, {
        ...(api.objects(replicaSetKind)[0] ?? replicaSet(3)),
        metadata: { ...replicaSet(3).metadata, labels: { touched: 'yes' } },
      })
      await advance(400_000)
      expect(creates()).toBe(3)
      expect(api.objects(podKind)).toHaveLength(3)
      expect(api.objects(replicaSetKind)[0]?.status?.replicas).toBe(3)
    }))

  it('stops at a refusal instead of asking 100 times, reports it, and goes on when it may', () =>
    withControllers(
      (deps) => [createReplicaSetController(deps)],
      async ({ api, advance }) => {
        let refused = 0
        api.intercept = ({ verb, resource }) => {
          if (verb !== 'create' || resource !== 'pods') return
          refused++
          throw new ApiError({ code: 403, reason: 'Forbidden', message: 'quota' })
        }
        api.put(replicaSetKind, replicaSet(100))
        await advance()
        expect(refused).toBeLessThan(5)
        expect(api.objects(replicaSetKind)[0]?.status?.conditions).toMatchObject([
          { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' },
        ])
        api.intercept = undefined
        await advance(60_000)
        expect(api.objects(podKind)).toHaveLength(100)
        expect(api.objects(replicaSetKind)[0]?.status?.conditions ?? []).toEqual([])
      },
    ))

  it('adopts what it selects and nobody manages, and lets go of what it selects no longer', () =>
    withReplicaSet(replicaSet(1), async ({ api, advance }) => {
      const [own] = api.objects(podKind)
      if (!own) throw new Error('no pod')
      api.put(podKind, { ...own, metadata: { ...own.metadata, labels: { app: 'debug' } } })
      await advance(1_000)
      const pods = api.objects(podKind)
      expect(pods).toHaveLength(2)
      expect(pods.find(({ metadata }) => metadata.name === own.metadata.name)?.metadata.ownerReferences).toEqual([])
      api.put(podKind, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'orphan', namespace: 'default', labels: { app: 'web' } },
        spec: own.spec,
      })
      await advance(1_000)
      expect(api.objects(podKind).filter(({ metadata }) => metadata.ownerReferences?.length === 1)).toHaveLength(1)
    }))

  it('counts ready pods, and available ones once minReadySeconds have passed', () =>
    withReplicaSet(replicaSet(2, { minReadySeconds: 10 }), async ({ api, clock, advance }) => {
      for (const pod of api.objects(podKind)) api.put(podKind, ready(pod, new Date(clock.now()).toISOString()))
      await advance(1_000)
      const status = () => api.objects(replicaSetKind)[0]?.status
      expect(status()).toMatchObject({ replicas: 2, readyReplicas: 2, availableReplicas: 0, fullyLabeledReplicas: 2 })
      await advance(10_000)
      expect(status()).toMatchObject({ availableReplicas: 2 })
    }))

  it('replaces pods that ended', () =>
    withReplicaSet(replicaSet(1), async ({ api, advance }) => {
      const [pod] = api.objects(podKind)
      if (pod) api.put(podKind, { ...pod, status: { phase: 'Failed' } })
      await advance(1_000)
      expect(api.objects(podKind)).toHaveLength(2)
    }))
})

describe('deletion order', () => {
  const pod = (
    name: string,
    rest: {
      node?: string
      phase?: 'Pending' | 'Running'
      since?: string
      cost?: string
      restarts?: number
      created?: string
    } = {},
  ): Pod => {
    const made: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'default',
        creationTimestamp: rest.created ?? '2026-01-01T00:00:00Z',
        annotations: rest.cost === undefined ? {} : { 'controller.kubernetes.io/pod-deletion-cost': rest.cost },
      },
      spec: { containers: [], nodeName: rest.node ?? 'one' },
      status: {
        phase: rest.phase ?? 'Running',
        containerStatuses: [{ name: 'm', ready: true, restartCount: rest.restarts ?? 0, image: '', imageID: '' }],
      },
    }
    return rest.since === undefined ? made : { ...made, status: { ...made.status, ...ready(made, rest.since).status } }
  }
  it.each([
    ['without a node before those with one', pod('z', { node: '' }), pod('a')],
    ['pending before running', pod('z', { phase: 'Pending' }), pod('a')],
    ['not ready before ready', pod('z'), pod('a', { since: '2026-01-01T00:00:00Z' })],
    ['cheap before dear', pod('z', { cost: '-5' }), pod('a')],
    ['on the crowded node first', pod('z', { node: 'crowded' }), pod('a')],
    ['ready for a shorter time first', pod('z', { since: '2026-01-02T00:00:00Z' }), pod('a', { since: '2026-01-01T00:00:00Z' })],
    ['with more restarts first', pod('z', { restarts: 3 }), pod('a')],
    ['newer before older', pod('z', { created: '2026-01-02T00:00:00Z' }), pod('a')],
    ['by name among equals', pod('a'), pod('b')],
    ['with a cost that is no number as without', pod('a', { cost: '1e9' }), pod('b')],
  ])('%s', (_, first, second) => {
    const order = byDeletionOrder(
      new Map([
        ['crowded', 3],
        ['one', 1],
      ]),
    )
    expect(Math.sign(order(first, second))).toBe(-1)
    expect(Math.sign(order(second, first))).toBe(1)
  })
})

describe('write memory', () => {
  const made = (resourceVersion: string, uid = 'u'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default', uid, resourceVersion },
    spec: { containers: [] },
  })

  it('is caught up when the cache shows the write or a later one, and a deletion when it is gone', () => {
    const pods = fakeInformer(podKind)
    const memory = createWriteMemory<Pod>(pods, pausedClock())
    memory.wrote('owner', made('9'))
    expect(memory.isCaughtUp('owner')).toBe(false)
    expect(memory.isCaughtUp('other')).toBe(true)
    pods.set(made('8'))
    expect(memory.isCaughtUp('owner')).toBe(false)
    pods.set(made('10'))
    expect(memory.isCaughtUp('owner')).toBe(true)
    memory.deleted('owner', made('10'))
    expect(memory.isCaughtUp('owner')).toBe(false)
    pods.delete({ namespace: 'default', name: 'a' })
    expect(memory.isCaughtUp('owner')).toBe(true)
  })

  it('waits for nothing that came and went before the answer', () => {
    const pods = fakeInformer(podKind)
    const memory = createWriteMemory<Pod>(pods, pausedClock())
    pods.onChange(memory.saw)
    pods.set(made('9'))
    pods.delete({ namespace: 'default', name: 'a' })
    memory.wrote('owner', made('9'))
    expect(memory.isCaughtUp('owner')).toBe(true)
  })

  it('gives up after five minutes', async () => {
    const clock = pausedClock()
    const memory = createWriteMemory<Pod>(fakeInformer(podKind), clock)
    memory.wrote('owner', made('9'))
    await clock.advance(299_000)
    expect(memory.isCaughtUp('owner')).toBe(false)
    await clock.advance(2_000)
    expect(memory.isCaughtUp('owner')).toBe(true)
  })
})
