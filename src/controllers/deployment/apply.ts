import {
  type Deployment,
  deploymentKind,
  isAlreadyExists,
  isNotFound,
  type ReplicaSet,
  replicaSetKind,
  sameValue,
} from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { Client, EventRecorder, NewObject } from '../../client/index.ts'
import { isControlledBy } from '../ownership.ts'
import type { WriteMemory } from '../write-memory.ts'
import { REVISION } from './annotations.ts'
import type { Rollout } from './desired.ts'
import { sizeOf } from './scaling.ts'
import { sameTemplate } from './template.ts'

export interface ApplyOptions {
  readonly client: Client
  readonly events: EventRecorder
  readonly memory: WriteMemory<ReplicaSet>
  /** The Deployment's key. */
  readonly owner: string
  readonly signal: AbortSignal
}

/** Writes one step: ReplicaSets first, then the revision, then the status. */
export const applyRollout = async (deployment: Deployment, rollout: Rollout, options: ApplyOptions): Promise<void> => {
  const { client, memory, owner, signal } = options
  if (rollout.create) await create(deployment, rollout.create, options)
  for (const { replicaSet, before } of rollout.update) await resize(deployment, { replicaSet, before }, options)
  for (const replicaSet of rollout.remove) {
    await client.delete(replicaSetKind, replicaSet.metadata, { signal, propagationPolicy: 'Background' }).catch(unlessGone)
    memory.deleted(owner, replicaSet)
  }
  const noted = rollout.revision === undefined ? deployment : await noteRevision(deployment, rollout.revision, options)
  await writeStatus(noted, rollout.status.status, options)
}

const create = async (deployment: Deployment, replicaSet: NewObject<ReplicaSet>, options: ApplyOptions): Promise<void> => {
  const { client, events, memory, owner, signal } = options
  try {
    const made = await client.create(replicaSetKind, replicaSet, { signal })
    memory.wrote(owner, made)
    if (sizeOf(made) > 0) events.event(deployment, scaled('up', made, 0))
  } catch (error) {
    if (isAlreadyExists(error)) return resolveCollision(deployment, replicaSet, options)
    const message = `Failed to create new replica set "${replicaSet.metadata.name}": ${errorMessage(error)}`
    events.event(deployment, { type: 'Warning', reason: 'ReplicaSetCreateError', message })
    throw error
  }
}

/** The name is taken: by our own create whose answer was lost, or by another template with the same hash. */
const resolveCollision = async (deployment: Deployment, wanted: NewObject<ReplicaSet>, options: ApplyOptions): Promise<void> => {
  const { client, memory, owner, signal } = options
  const { namespace, name } = wanted.metadata
  const there = await client.get(replicaSetKind, { name, ...(namespace === undefined ? {} : { namespace }) }, { signal })
  if (isControlledBy(there, deployment) && sameTemplate(deployment.spec.template, there.spec.template)) {
    memory.wrote(owner, there)
    return
  }
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1
  await client.update(
    deploymentKind,
    { ...deployment, status: { ...deployment.status, collisionCount } },
    { subresource: 'status', signal },
  )
  throw new Error(`replica set ${name} belongs to another template; trying another name`)
}

const resize = async (
  deployment: Deployment,
  { replicaSet, before }: Rollout['update'][number],
  options: ApplyOptions,
): Promise<void> => {
  const { client, events, memory, owner, signal } = options
  memory.wrote(owner, await client.update(replicaSetKind, replicaSet, { signal }))
  const after = sizeOf(replicaSet)
  if (after !== before) events.event(deployment, scaled(after > before ? 'up' : 'down', replicaSet, before))
}

const scaled = (direction: 'up' | 'down', replicaSet: ReplicaSet, before: number) => ({
  type: 'Normal' as const,
  reason: 'ScalingReplicaSet',
  message: `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${before} to ${sizeOf(replicaSet)}`,
})

const noteRevision = (deployment: Deployment, revision: string, { client, signal }: ApplyOptions): Promise<Deployment> =>
  client.patch(
    deploymentKind,
    deployment.metadata,
    { type: 'merge', value: { metadata: { uid: deployment.metadata.uid, annotations: { [REVISION]: revision } } } },
    { signal },
  )

const writeStatus = async (
  deployment: Deployment,
  status: Rollout['status']['status'],
  { client, signal }: ApplyOptions,
): Promise<void> => {
  if (sameValue(deployment.status, status)) return
  await client.update(deploymentKind, { ...deployment, status }, { subresource: 'status', signal }).catch(unlessGone)
}

const unlessGone = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error
  return undefined
}
