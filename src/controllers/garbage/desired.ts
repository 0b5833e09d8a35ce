import type { OwnerReference } from '../../api/index.ts'
import {
  blocksOwner,
  FOREGROUND_FINALIZER,
  type GraphNode,
  isOrphaning,
  isWaitingForDependents,
  ORPHAN_FINALIZER,
} from './graph.ts'

/** What is known of an owner: `unknown` when asking failed or its kind is not served, and then nothing is deleted because of it. */
export type OwnerState = 'solid' | 'absent' | 'waiting' | 'unknown'

export interface GarbageSnapshot {
  readonly node: GraphNode
  readonly dependents: readonly GraphNode[]
  readonly owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[]
}

export type GarbageOperation =
  | { readonly type: 'delete'; readonly node: GraphNode; readonly policy: 'Background' | 'Foreground' | 'Orphan' }
  /** Removes references to these owners. */
  | { readonly type: 'disown'; readonly node: GraphNode; readonly owners: ReadonlySet<string> }
  | { readonly type: 'removeFinalizer'; readonly node: GraphNode; readonly finalizer: string }

/** What to do about one object, in order. */
export const desiredCollection = (snapshot: GarbageSnapshot): readonly GarbageOperation[] => {
  const { node, dependents } = snapshot
  if (isOrphaning(node.object)) {
    const owners = new Set([node.uid])
    return [
      ...dependents.map((dependent) => ({ type: 'disown' as const, node: dependent, owners })),
      { type: 'removeFinalizer', node, finalizer: ORPHAN_FINALIZER },
    ]
  }
  if (isWaitingForDependents(node.object)) {
    const isBlocked = dependents.some(({ object }) => blocksOwner(object, node.uid))
    return isBlocked ? [] : [{ type: 'removeFinalizer', node, finalizer: FOREGROUND_FINALIZER }]
  }
  return node.object.metadata.deletionTimestamp === undefined ? collectDependent(snapshot) : []
}

const collectDependent = ({ node, dependents, owners }: GarbageSnapshot): readonly GarbageOperation[] => {
  const of = (state: OwnerState): readonly string[] =>
    owners.filter((owner) => owner.state === state).map(({ reference }) => reference.uid)
  const leaving = [...of('absent'), ...of('waiting')]
  if (leaving.length === 0 || of('unknown').length > 0) return []
  if (of('solid').length > 0) return [{ type: 'disown', node, owners: new Set(leaving) }]
  const { finalizers = [] } = node.object.metadata
  // Under an owner that waits, what owns something itself waits for that first.
  if (of('waiting').length > 0 && dependents.length > 0) return [{ type: 'delete', node, policy: 'Foreground' }]
  if (finalizers.includes(ORPHAN_FINALIZER)) return [{ type: 'delete', node, policy: 'Orphan' }]
  return [{ type: 'delete', node, policy: finalizers.includes(FOREGROUND_FINALIZER) ? 'Foreground' : 'Background' }]
}
