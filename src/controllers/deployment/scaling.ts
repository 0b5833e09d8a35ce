import type { ReplicaSet } from '../../api/index.ts'
import { DESIRED_REPLICAS, MAX_REPLICAS, notedCount } from './annotations.ts'
import type { RolloutBounds } from './bounds.ts'
import { byCreation } from './template.ts'

/** New sizes of ReplicaSets; those that are missing keep theirs. */
export type Sizes = ReadonlyMap<ReplicaSet, number>

export interface RolloutState {
  readonly current: ReplicaSet | undefined
  readonly old: readonly ReplicaSet[]
  readonly bounds: RolloutBounds
}

export const sizeOf = ({ spec }: ReplicaSet): number => spec.replicas ?? 1

export const totalSize = (replicaSets: readonly ReplicaSet[]): number =>
  replicaSets.reduce((sum, replicaSet) => sum + sizeOf(replicaSet), 0)

/** A ReplicaSet that was just shrunk still reports the pods that it is about to delete: they are not to be counted on. */
const availableOf = (replicaSet: ReplicaSet): number => Math.min(replicaSet.status?.availableReplicas ?? 0, sizeOf(replicaSet))

/** Whether the Deployment's `replicas` changed since a ReplicaSet that has pods was sized. */
export const isScaled = ({ current, old, bounds }: RolloutState): boolean =>
  [...old, ...(current ? [current] : [])].some((replicaSet) => {
    const noted = notedCount(replicaSet, DESIRED_REPLICAS)
    return sizeOf(replicaSet) > 0 && noted !== undefined && noted !== bounds.replicas
  })

/** Sizes after `replicas` changed: in the middle of a rollout each ReplicaSet grows or shrinks in proportion, to spread the risk. */
export const scaleInProportion = ({ current, old, bounds }: RolloutState): Sizes => {
  const active = [...old, ...(current ? [current] : [])].filter((replicaSet) => sizeOf(replicaSet) > 0)
  const [only = current] = active
  if (active.length <= 1) return only ? resized([[only, bounds.replicas]]) : new Map()
  if (current && sizeOf(current) === bounds.replicas && availableOf(current) === bounds.replicas) {
    return resized(old.map((replicaSet) => [replicaSet, 0]))
  }
  const allowed = bounds.replicas > 0 ? bounds.replicas + bounds.maxSurge : 0
  const toAdd = allowed - totalSize(active)
  // The largest take the leftover; among equals the newest grows first and the oldest shrinks first.
  const bySize = active.sort((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)))
  const sizes = new Map(bySize.map((replicaSet) => [replicaSet, sizeOf(replicaSet)]))
  let added = 0
  for (const replicaSet of bySize) {
    const share = toAdd === 0 ? 0 : clampedShare(replicaSet, bounds, toAdd - added)
    sizes.set(replicaSet, Math.max(0, sizeOf(replicaSet) + share))
    added += share
  }
  const [largest] = bySize
  if (largest) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added))
  return resized([...sizes])
}

const clampedShare = (replicaSet: ReplicaSet, bounds: RolloutBounds, left: number): number => {
  if (bounds.replicas === 0) return -sizeOf(replicaSet)
  const maxBefore = notedCount(replicaSet, MAX_REPLICAS) || bounds.replicas + bounds.maxSurge
  const share = Math.round((sizeOf(replicaSet) * (bounds.replicas + bounds.maxSurge)) / maxBefore) - sizeOf(replicaSet)
  return left > 0 ? Math.min(Math.max(share, 0), left) : Math.max(Math.min(share, 0), left)
}

/** One step of a rolling update: grow the current ReplicaSet as far as the surge allows, else shrink old ones as far as availability allows. */
export const rollingStep = (state: RolloutState): Sizes => {
  const { current, old, bounds } = state
  if (!current) return new Map()
  const grown = resized([[current, currentSize(state)]])
  if (grown.size > 0) return grown
  const minAvailable = bounds.replicas - bounds.maxUnavailable
  const unavailableNew = Math.max(0, sizeOf(current) - availableOf(current))
  const removable = totalSize([...old, current]) - minAvailable - unavailableNew
  if (removable <= 0 || totalSize(old) === 0) return new Map()
  const sizes = new Map([...old].sort(byCreation).map((replicaSet) => [replicaSet, sizeOf(replicaSet)]))
  // Pods that serve nobody go first: they cost no availability.
  shrink(sizes, removable, (replicaSet, size) => size - availableOf(replicaSet))
  const available = [...old, current].reduce((sum, replicaSet) => sum + availableOf(replicaSet), 0)
  shrink(sizes, available - minAvailable, (_, size) => size)
  return resized([...sizes])
}

/** The size that the current ReplicaSet may have now, also when it is yet to be created. */
export const currentSize = ({ current, old, bounds }: RolloutState): number => {
  const size = current ? sizeOf(current) : 0
  if (size >= bounds.replicas) return bounds.replicas
  const room = bounds.replicas + bounds.maxSurge - totalSize(old) - size
  return size + Math.max(0, Math.min(room, bounds.replicas - size))
}

const shrink = (sizes: Map<ReplicaSet, number>, most: number, by: (replicaSet: ReplicaSet, size: number) => number): void => {
  let left = most
  for (const [replicaSet, size] of sizes) {
    const step = Math.min(Math.max(0, by(replicaSet, size)), size, Math.max(0, left))
    sizes.set(replicaSet, size - step)
    left -= step
  }
}

const resized = (sizes: readonly (readonly [ReplicaSet, number])[]): Sizes =>
  new Map(sizes.filter(([replicaSet, size]) => sizeOf(replicaSet) !== size))
