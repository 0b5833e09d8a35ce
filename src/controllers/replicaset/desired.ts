import {
  type Pod,
  type ReplicaSet,
  type ReplicaSetCondition,
  type ReplicaSetStatus,
  replicaSetKind,
  sameValue,
  selectorMatches,
} from '../../api/index.ts'
import type { NewObject } from '../../client/index.ts'
import { controllerReference } from '../ownership.ts'
import { availableInMs, isActive, isReady } from '../pods.ts'
import { byDeletionOrder } from './deletion-order.ts'

/** Never more creations or deletions at once than this. */
const BURST_REPLICAS = 500

export interface DesiredPods {
  readonly create: number
  readonly remove: readonly Pod[]
}

export interface Owned {
  readonly replicaSet: ReplicaSet
  /** The pods that it manages. */
  readonly pods: readonly Pod[]
  readonly neighbours: ReadonlyMap<string, number>
}

/** How many pods to create, or which ones to delete. */
export const desiredPods = ({ replicaSet, pods, neighbours }: Owned): DesiredPods => {
  if (replicaSet.metadata.deletionTimestamp !== undefined) return { create: 0, remove: [] }
  const active = pods.filter(isActive)
  const surplus = active.length - (replicaSet.spec.replicas ?? 1)
  if (surplus <= 0) return { create: Math.min(-surplus, BURST_REPLICAS), remove: [] }
  return { create: 0, remove: [...active].sort(byDeletionOrder(neighbours)).slice(0, Math.min(surplus, BURST_REPLICAS)) }
}

/** A pod after the template. */
export const newPod = (replicaSet: ReplicaSet): NewObject<Pod> => {
  const { metadata: template, spec } = replicaSet.spec.template ?? { spec: { containers: [] } }
  const { namespace, name } = replicaSet.metadata
  return {
    metadata: {
      name: '',
      generateName: `${name.slice(0, 247)}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(template?.labels ? { labels: template.labels } : {}),
      ...(template?.annotations ? { annotations: template.annotations } : {}),
      ...(template?.finalizers ? { finalizers: template.finalizers } : {}),
      ownerReferences: [controllerReference(replicaSetKind, replicaSet)],
    },
    spec,
  }
}

export interface DesiredStatus {
  readonly status: ReplicaSetStatus
  /** When a pod that is ready now becomes available. */
  readonly againInMs: number | undefined
}

/** `failure` is what stopped the last creation or deletion. */
export const desiredStatus = (
  { replicaSet, pods }: Pick<Owned, 'replicaSet' | 'pods'>,
  { failure, nowMs }: { readonly failure: ReplicaFailure | undefined; readonly nowMs: number },
): DesiredStatus => {
  const active = pods.filter(isActive)
  const templateLabels = { matchLabels: replicaSet.spec.template?.metadata?.labels ?? {} }
  const waits = active.map((pod) => availableInMs(pod, replicaSet.spec.minReadySeconds ?? 0, nowMs))
  const pending = waits.flatMap((wait) => (wait ? [wait] : []))
  const conditions = conditionsOf(replicaSet, failure, nowMs)
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter(({ metadata }) => selectorMatches(templateLabels, metadata.labels)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      terminatingReplicas: pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length,
      ...(replicaSet.metadata.generation === undefined ? {} : { observedGeneration: replicaSet.metadata.generation }),
      ...(conditions.length > 0 ? { conditions } : {}),
    },
    againInMs: pending.length > 0 ? Math.min(...pending) : undefined,
  }
}

export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete'
  readonly message: string
}

const conditionsOf = (
  { status }: ReplicaSet,
  failure: ReplicaFailure | undefined,
  nowMs: number,
): readonly ReplicaSetCondition[] => {
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure')
  if (!failure) return others
  const known = status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  const { lastTransitionTime = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z') } = known ?? {}
  return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime, ...failure }]
}

/** Whether a status write would change nothing. */
export const isSameStatus = ({ status }: ReplicaSet, desired: ReplicaSetStatus): boolean => sameValue(status, desired)
