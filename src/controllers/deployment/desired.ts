import {
  type Deployment,
  deploymentKind,
  type LabelSelector,
  type ObjectMeta,
  type ReplicaSet,
  sameValue,
} from '../../api/index.ts'
import type { NewObject } from '../../client/index.ts'
import { controllerReference } from '../ownership.ts'
import { currentAnnotations, DESIRED_REPLICAS, MAX_REPLICAS, REVISION, revisionOf } from './annotations.ts'
import { type RolloutBounds, rolloutBounds } from './bounds.ts'
import {
  currentSize,
  isScaled,
  type RolloutState,
  rollingStep,
  type Sizes,
  scaleInProportion,
  sizeOf,
  totalSize,
} from './scaling.ts'
import { type DesiredStatus, desiredStatus, isComplete } from './status.ts'
import { byCreation, findCurrent, TEMPLATE_HASH_LABEL, templateHash } from './template.ts'

export interface RolloutInput {
  readonly deployment: Deployment
  /** Those that it manages. */
  readonly replicaSets: readonly ReplicaSet[]
  unfinishedPods(replicaSet: ReplicaSet): number
  readonly nowMs: number
}

/** One step towards the Deployment's template and size. */
export interface Rollout {
  readonly create: NewObject<ReplicaSet> | undefined
  /** ReplicaSets in their new form, with the size that they had. */
  readonly update: readonly { readonly replicaSet: ReplicaSet; readonly before: number }[]
  readonly remove: readonly ReplicaSet[]
  /** The revision to note on the Deployment, when it is another one. */
  readonly revision: string | undefined
  readonly status: DesiredStatus
}

const DEFAULT_HISTORY_LIMIT = 10

/** What to do next; called again after each change, it leads to the end. */
export const desiredRollout = (input: RolloutInput): Rollout => {
  const { deployment, replicaSets, nowMs } = input
  const current = findCurrent(deployment, replicaSets)
  const old = replicaSets.filter((replicaSet) => replicaSet !== current)
  const bounds = rolloutBounds(deployment)
  const state: RolloutState = { current, old, bounds }
  const status = desiredStatus({ deployment, current, old, bounds, nowMs })
  if (deployment.metadata.deletionTimestamp !== undefined)
    return { create: undefined, update: [], remove: [], revision: undefined, status }

  const revision = Math.max(0, ...old.map(revisionOf)) + 1
  const currentRevision = current ? Math.max(revisionOf(current), revision) : revision
  const paused = deployment.spec.paused === true
  const mayCreate = !current && !paused && (!isRecreate(deployment) || isDrained(input, old))
  const isDone = current !== undefined && isComplete({ deployment, bounds }, status.status)
  return {
    create: mayCreate
      ? newReplicaSet(deployment, { revision: currentRevision, bounds, replicas: currentSize(state) })
      : undefined,
    update: updates(deployment, { state, sizes: nextSizes(input, state), revision: paused ? undefined : currentRevision }),
    remove: isDone && !paused ? beyondHistory(deployment, old) : [],
    revision: revisionToNote(deployment, current || mayCreate ? currentRevision : undefined),
    status,
  }
}

const isRecreate = ({ spec }: Deployment): boolean => spec.strategy?.type === 'Recreate'

/** No pod of an old ReplicaSet is left, not even a terminating one. */
const isDrained = ({ unfinishedPods }: RolloutInput, old: readonly ReplicaSet[]): boolean =>
  totalSize(old) === 0 && old.every((replicaSet) => unfinishedPods(replicaSet) === 0)

const nextSizes = (input: RolloutInput, state: RolloutState): Sizes => {
  const { deployment } = input
  const { current, old, bounds } = state
  if (deployment.spec.paused || isScaled(state)) return scaleInProportion(state)
  if (!isRecreate(deployment)) return rollingStep(state)
  const running = old.filter((replicaSet) => sizeOf(replicaSet) > 0)
  if (running.length > 0) return new Map(running.map((replicaSet) => [replicaSet, 0]))
  const grows = current && isDrained(input, old) && sizeOf(current) !== bounds.replicas
  return grows ? new Map([[current, bounds.replicas]]) : new Map()
}

interface Updating {
  readonly state: RolloutState
  readonly sizes: Sizes
  /** Undefined while paused: then only sizes change. */
  readonly revision: number | undefined
}

const updates = (deployment: Deployment, { state, sizes, revision }: Updating): Rollout['update'] => {
  const { current, old, bounds } = state
  return [...(current ? [current] : []), ...old].flatMap((replicaSet) => {
    const size = sizes.get(replicaSet) ?? sizeOf(replicaSet)
    const isCurrent = replicaSet === current && revision !== undefined
    const known = replicaSet.metadata.annotations
    const inherited = isCurrent ? currentAnnotations(deployment, known, revision) : known
    const counted = size > 0 || replicaSet === current ? { ...inherited, ...sizeAnnotations(bounds) } : { ...inherited }
    const { minReadySeconds } = isCurrent ? deployment.spec : replicaSet.spec
    const isSame = size === sizeOf(replicaSet) && sameValue(known, counted) && minReadySeconds === replicaSet.spec.minReadySeconds
    if (isSame) return []
    const spec = { ...replicaSet.spec, replicas: size, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) }
    const changed = { ...replicaSet, metadata: { ...replicaSet.metadata, annotations: counted }, spec }
    return [{ replicaSet: changed, before: sizeOf(replicaSet) }]
  })
}

const sizeAnnotations = ({ replicas, maxSurge }: RolloutBounds): Readonly<Record<string, string>> => ({
  [DESIRED_REPLICAS]: String(replicas),
  [MAX_REPLICAS]: String(replicas + maxSurge),
})

const newReplicaSet = (
  deployment: Deployment,
  { revision, bounds, replicas }: { readonly revision: number; readonly bounds: RolloutBounds; readonly replicas: number },
): NewObject<ReplicaSet> => {
  const { metadata, spec, status } = deployment
  const hash = templateHash(spec.template, status?.collisionCount)
  const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash }
  return {
    metadata: {
      name: `${metadata.name.slice(0, 245)}-${hash}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations: { ...currentAnnotations(deployment, undefined, revision), ...sizeAnnotations(bounds) },
      ownerReferences: [controllerReference(deploymentKind, deployment)],
    },
    spec: {
      replicas,
      selector: withHash(spec.selector, hash),
      template: {
        ...spec.template, // The metadata of a template has no name.
        metadata: { ...spec.template.metadata, labels } as ObjectMeta,
      },
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
    },
  }
}

const withHash = (selector: LabelSelector, hash: string): LabelSelector => ({
  ...selector,
  matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
})

/** Old ReplicaSets without pods, the oldest first, as far as they are more than the history keeps. */
const beyondHistory = ({ spec }: Deployment, old: readonly ReplicaSet[]): readonly ReplicaSet[] => {
  const idle = old.filter(
    ({ spec: { replicas }, status, metadata }) =>
      replicas === 0 &&
      (status?.replicas ?? 0) === 0 &&
      (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
      metadata.deletionTimestamp === undefined,
  )
  const surplus = idle.length - (spec.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT)
  if (surplus <= 0) return []
  return idle.sort((a, b) => revisionOf(a) - revisionOf(b) || byCreation(a, b)).slice(0, surplus)
}

const revisionToNote = ({ metadata, spec }: Deployment, revision: number | undefined): string | undefined => {
  if (revision === undefined || spec.paused || metadata.annotations?.[REVISION] === String(revision)) return undefined
  return String(revision)
}
