import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/index.ts'
import type { RolloutBounds } from './bounds.ts'
import { totalSize } from './scaling.ts'

export interface StatusInput {
  readonly deployment: Deployment
  readonly current: ReplicaSet | undefined
  readonly old: readonly ReplicaSet[]
  readonly bounds: RolloutBounds
  readonly nowMs: number
}

export interface DesiredStatus {
  readonly status: DeploymentStatus
  /** When the progress deadline passes. */
  readonly againInMs: number | undefined
}

/** No deadline: the largest value means "for ever". */
const NO_DEADLINE = 0x7fff_ffff
const DEFAULT_DEADLINE = 600

/** Counts and conditions as `kubectl rollout status` reads them. */
export const desiredStatus = (input: StatusInput): DesiredStatus => {
  const { deployment, current, old, bounds } = input
  const all = [...old, ...(current ? [current] : [])]
  const sum = (count: (status: ReplicaSet['status']) => number | undefined): number =>
    all.reduce((total, { status }) => total + (count(status) ?? 0), 0)
  const availableReplicas = sum((status) => status?.availableReplicas)
  const counts: DeploymentStatus = {
    ...(deployment.metadata.generation === undefined ? {} : { observedGeneration: deployment.metadata.generation }),
    replicas: sum((status) => status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum((status) => status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, totalSize(all) - availableReplicas),
    terminatingReplicas: sum((status) => status?.terminatingReplicas),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  }
  const isAvailable = availableReplicas >= bounds.replicas - bounds.maxUnavailable
  const available: ConditionText = isAvailable
    ? { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : { status: 'False', reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' }
  const progressing = progressOf(input, counts)
  const failure = current?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  const conditions = [
    stamped(input, 'Available', available),
    ...(progressing ? [stamped(input, 'Progressing', progressing)] : []),
    ...(failure ? [stamped(input, 'ReplicaFailure', textOf(failure))] : []),
  ]
  return { status: { ...counts, conditions }, againInMs: deadlineInMs(input, conditions) }
}

interface ConditionText {
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  /** Something moved: the deadline counts from now. */
  readonly isProgress?: boolean
}

const conditionOf = ({ status }: Deployment, type: string): DeploymentCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type)

const progressOf = (input: StatusInput, counts: DeploymentStatus): ConditionText | undefined => {
  const { deployment, current, nowMs } = input
  const known = conditionOf(deployment, 'Progressing')
  if (deadlineSeconds(deployment) === undefined) return undefined
  if (deployment.spec.paused) {
    return { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
  }
  const name = current ? `ReplicaSet "${current.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
  if (isComplete(input, counts)) {
    return { status: 'True', reason: 'NewReplicaSetAvailable', message: `${name} has successfully progressed.` }
  }
  if (known?.reason === 'DeploymentPaused') {
    return { status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed', isProgress: true }
  }
  if (!known && current) {
    return {
      status: 'True',
      reason: 'NewReplicaSetCreated',
      message: `Created new replica set "${current.metadata.name}"`,
      isProgress: true,
    }
  }
  // A rollout that is complete stays so when a pod falters or the size changes; only a new template begins another.
  const wasComplete = known?.reason === 'NewReplicaSetAvailable'
  if (wasComplete && counts.replicas === counts.updatedReplicas) return textOf(known)
  if (wasComplete || hasMoved(deployment, counts)) {
    return { status: 'True', reason: 'ReplicaSetUpdated', message: `${name} is progressing.`, isProgress: true }
  }
  const leftMs = known ? Date.parse(known.lastUpdateTime ?? '') + (deadlineSeconds(deployment) ?? 0) * 1000 - nowMs : undefined
  if (leftMs !== undefined && leftMs <= 0) {
    return { status: 'False', reason: 'ProgressDeadlineExceeded', message: `${name} has timed out progressing.` }
  }
  return known ? textOf(known) : undefined
}

const textOf = ({ status, reason = '', message = '' }: DeploymentCondition): ConditionText => ({ status, reason, message })

/** All pods are of the current template, available, and no other is left. */
export const isComplete = (
  { deployment, bounds }: Pick<StatusInput, 'deployment' | 'bounds'>,
  counts: DeploymentStatus,
): boolean =>
  counts.updatedReplicas === bounds.replicas &&
  counts.replicas === bounds.replicas &&
  counts.availableReplicas === bounds.replicas &&
  (counts.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)

const hasMoved = ({ status }: Deployment, counts: DeploymentStatus): boolean => {
  const updated = counts.updatedReplicas ?? 0
  const oldBefore = (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  return (
    updated > (status?.updatedReplicas ?? 0) ||
    (counts.replicas ?? 0) - updated < oldBefore ||
    (counts.readyReplicas ?? 0) > (status?.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (status?.availableReplicas ?? 0)
  )
}

const stamped = (
  { deployment, nowMs }: StatusInput,
  type: string,
  { isProgress, ...text }: ConditionText,
): DeploymentCondition => {
  const known = conditionOf(deployment, type)
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const isSame = known?.status === text.status && known.reason === text.reason && known.message === text.message
  return {
    type,
    ...text,
    lastUpdateTime: isSame && !isProgress ? (known.lastUpdateTime ?? now) : now,
    lastTransitionTime: known?.status === text.status ? (known.lastTransitionTime ?? now) : now,
  }
}

const deadlineSeconds = ({ spec }: Deployment): number | undefined => {
  const { progressDeadlineSeconds = DEFAULT_DEADLINE } = spec
  return progressDeadlineSeconds === NO_DEADLINE ? undefined : progressDeadlineSeconds
}

const deadlineInMs = ({ deployment, nowMs }: StatusInput, conditions: readonly DeploymentCondition[]): number | undefined => {
  const progressing = conditions.find(({ type }) => type === 'Progressing')
  const isWaiting = progressing?.status === 'True' && progressing.reason !== 'NewReplicaSetAvailable'
  const seconds = deadlineSeconds(deployment)
  if (!isWaiting || seconds === undefined) return undefined
  return Math.max(1_000, Date.parse(progressing.lastUpdateTime ?? '') + seconds * 1000 - nowMs + 1_000)
}
