import { isNotFound, type Pod, podKind, type ReplicaSet, type ReplicaSetStatus, replicaSetKind } from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { Client, EventRecorder } from '../../client/index.ts'
import type { WriteMemory } from '../write-memory.ts'
import { type DesiredPods, newPod, type ReplicaFailure } from './desired.ts'

export interface ApplyOptions {
  readonly client: Client
  readonly events: EventRecorder
  readonly memory: WriteMemory<Pod>
  /** The ReplicaSet's key. */
  readonly owner: string
  readonly signal: AbortSignal
}

/** Creates or deletes pods; what stopped it, when something did. */
export const applyPods = async (
  replicaSet: ReplicaSet,
  { create, remove }: DesiredPods,
  options: ApplyOptions,
): Promise<ReplicaFailure | undefined> => {
  const failed = await inSlowStartBatches(create, () => createPod(replicaSet, options))
  if (failed) return { reason: 'FailedCreate', message: errorMessage(failed.error) }
  const results = await Promise.allSettled(remove.map((pod) => deletePod(replicaSet, pod, options)))
  const refused = results.find((result) => result.status === 'rejected')
  return refused ? { reason: 'FailedDelete', message: errorMessage(refused.reason) } : undefined
}

/** Writes `status` of the version that it was computed from. */
export const applyStatus = async (
  replicaSet: ReplicaSet,
  status: ReplicaSetStatus,
  { client, signal }: ApplyOptions,
): Promise<void> => {
  try {
    await client.update(replicaSetKind, { ...replicaSet, status }, { subresource: 'status', signal })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** 1, 2, 4, ... at a time, and none after a failure: a template that is refused is refused once, not 500 times. */
const inSlowStartBatches = async (count: number, run: () => Promise<void>): Promise<{ readonly error: unknown } | undefined> => {
  for (let left = count, size = 1; left > 0; left -= size, size *= 2) {
    const results = await Promise.allSettled(Array.from({ length: Math.min(size, left) }, run))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) return { error: failed.reason }
  }
  return undefined
}

const createPod = async (replicaSet: ReplicaSet, { client, events, memory, owner, signal }: ApplyOptions): Promise<void> => {
  try {
    const pod = await client.create(podKind, newPod(replicaSet), { signal })
    memory.wrote(owner, pod)
    events.event(replicaSet, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}` })
  } catch (error) {
    events.event(replicaSet, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${errorMessage(error)}` })
    throw error
  }
}

const deletePod = async (
  replicaSet: ReplicaSet,
  pod: Pod,
  { client, events, memory, owner, signal }: ApplyOptions,
): Promise<void> => {
  const { uid, name } = pod.metadata
  try {
    await client.delete(podKind, pod.metadata, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    memory.deleted(owner, pod)
    events.event(replicaSet, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` })
  } catch (error) {
    if (isNotFound(error)) return
    events.event(replicaSet, { type: 'Warning', reason: 'FailedDelete', message: `Error deleting: ${errorMessage(error)}` })
    throw error
  }
}
