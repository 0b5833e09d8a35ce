import { type Pod, podKind, replicaSetKind, selectorMatches } from '../../api/index.ts'
import type { Clock, Component, Logger } from '../../base/index.ts'
import { type Client, createEventRecorder } from '../../client/index.ts'
import { again, DONE, type Outcome, type WorkQueue } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop, keyOf } from '../loop.ts'
import { queueOwners } from '../owner-queue.ts'
import { claim } from '../ownership.ts'
import { createWriteMemory, type WriteMemory } from '../write-memory.ts'
import { applyPods, applyStatus } from './apply.ts'
import { desiredPods, desiredStatus, isSameStatus } from './desired.ts'
import { readSnapshot } from './snapshot.ts'

export interface ReplicaSetControllerDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'pods' | 'replicaSets'>
  readonly clock: Clock
  readonly log: Logger
}

const CATCH_UP_MS = 1_000
const WORKERS = 5

/** Keeps as many pods of each ReplicaSet as it asks for. */
export const createReplicaSetController = ({ client, informers, clock, log }: ReplicaSetControllerDeps): Component => {
  const memory = createWriteMemory<Pod>(informers.pods, clock)
  const events = createEventRecorder({ client, component: 'replicaset-controller', clock, log })

  const reconcile = async (key: string, signal: AbortSignal): Promise<Outcome> => {
    if (!memory.isCaughtUp(key)) return again(CATCH_UP_MS)
    const snapshot = readSnapshot(key, informers)
    if (!snapshot) return DONE
    const { replicaSet, candidates, neighbours } = snapshot
    const pods = await claim({
      client,
      ownerKind: replicaSetKind,
      owner: replicaSet,
      kind: podKind,
      candidates,
      isSelected: ({ metadata }) => selectorMatches(replicaSet.spec.selector, metadata.labels),
    })
    const options = { client, events, memory, owner: key, signal }
    const failure = await applyPods(replicaSet, desiredPods({ replicaSet, pods, neighbours }), options)
    const { status, againInMs } = desiredStatus({ replicaSet, pods }, { failure, nowMs: clock.now() })
    if (!isSameStatus(replicaSet, status)) await applyStatus(replicaSet, status, options)
    if (failure) throw new Error(`${failure.reason}: ${failure.message}`)
    return againInMs === undefined ? DONE : again(againInMs)
  }
  return createLoop({
    name: 'replicaset-controller',
    informers: [informers.pods, informers.replicaSets],
    watch: (queue) => watch(informers, queue, memory),
    reconcile,
    workers: WORKERS,
    clock,
    log,
  })
}

const watch = (
  { pods, replicaSets }: ReplicaSetControllerDeps['informers'],
  queue: WorkQueue,
  memory: WriteMemory<Pod>,
): readonly (() => void)[] => [
  replicaSets.onChange(({ object }) => queue.add(keyOf(object))),
  pods.onChange(queueOwners(replicaSets, queue, memory)),
]
