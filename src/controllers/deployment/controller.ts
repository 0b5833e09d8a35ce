import { deploymentKind, type ReplicaSet, replicaSetKind, selectorMatches } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import { type Client, createEventRecorder } from '../../client/index.ts'
import { again, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop, keyOf } from '../loop.ts'
import { ownersOf, queueOwners } from '../owner-queue.ts'
import { claim, controllerOf } from '../ownership.ts'
import { createWriteMemory, type WriteMemory } from '../write-memory.ts'
import { applyRollout } from './apply.ts'
import { desiredRollout } from './desired.ts'
import { readSnapshot } from './snapshot.ts'

export interface DeploymentControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'deployments' | 'replicaSets' | 'pods'>
  readonly clock: Clock
  readonly log: Logger
}

const CATCH_UP_MS = 1_000
const WORKERS = 5

/** Rolls each Deployment out through its ReplicaSets. */
export const createDeploymentController = ({ client, informers, clock, log }: DeploymentControllerDeps): Component => {
  const memory = createWriteMemory<ReplicaSet>(informers.replicaSets, clock)
  const events = createEventRecorder({ client, component: 'deployment-controller', clock, log })

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    if (!memory.isCaughtUp(key)) return again(CATCH_UP_MS)
    const snapshot = readSnapshot(key, informers)
    if (!snapshot) return DONE
    const { deployment, candidates, unfinishedPods } = snapshot
    const replicaSets = await claim({
      client,
      ownerKind: deploymentKind,
      owner: deployment,
      kind: replicaSetKind,
      candidates,
      isSelected: ({ metadata }) => selectorMatches(deployment.spec.selector, metadata.labels),
    })
    const rollout = desiredRollout({ deployment, replicaSets, unfinishedPods, nowMs: clock.now() })
    await applyRollout(deployment, rollout, { client, events, memory, owner: key, signal })
    const { againInMs } = rollout.status
    return againInMs === undefined ? DONE : again(againInMs)
  }
  return createLoop({
    name: 'deployment-controller',
    informers: [informers.deployments, informers.replicaSets, informers.pods],
    watch: (queue) => watch(informers, queue, memory),
    reconcile,
    workers: WORKERS,
    clock,
    log,
  })
}

const watch = (
  { deployments, replicaSets, pods }: DeploymentControllerDeps['informers'],
  queue: WorkQueue,
  memory: WriteMemory<ReplicaSet>,
): readonly (() => void)[] => [
  deployments.onChange(({ object }) => queue.add(keyOf(object))),
  replicaSets.onChange(queueOwners(deployments, queue, memory)),
  // Recreate waits for the last pod of the old template to be gone.
  pods.onChange(({ type, object }) => {
    if (type !== 'deleted') return
    const controller = controllerOf(object)
    const owner = controller && replicaSets.get(object.metadata.namespace, controller.name)
    for (const deployment of owner ? ownersOf(deployments, owner) : [])
      if (deployment.spec.strategy?.type === 'Recreate') queue.add(keyOf(deployment))
  }),
]
