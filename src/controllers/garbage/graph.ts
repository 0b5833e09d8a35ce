import type { Kind, KubeObject, OwnerReference } from '../../api/index.ts'

/** What the collector knows of one object. */
export interface GraphNode {
  readonly uid: string
  readonly kind: Kind
  readonly object: KubeObject
}

/** Who owns whom, by uid; fed with every change of every kind. */
export interface OwnerGraph {
  get(uid: string): GraphNode | undefined
  /** Objects that name `uid` as an owner. */
  dependentsOf(uid: string): readonly GraphNode[]
  /** Returns the uids that are to be looked at because of this change. */
  set(kind: Kind, object: KubeObject): readonly string[]
  remove(object: KubeObject): readonly string[]
}

export const FOREGROUND_FINALIZER = 'foregroundDeletion'
export const ORPHAN_FINALIZER = 'orphan'

export const createOwnerGraph = (): OwnerGraph => {
  const nodes = new Map<string, GraphNode>()
  const dependents = new Map<string, Set<string>>()
  const link = (owner: string, uid: string): void => {
    const known = dependents.get(owner)
    if (known) known.add(uid)
    else dependents.set(owner, new Set([uid]))
  }
  const unlink = (owner: string, uid: string): void => {
    const known = dependents.get(owner)
    known?.delete(uid)
    if (known?.size === 0) dependents.delete(owner)
  }
  return {
    get: (uid) => nodes.get(uid),
    dependentsOf: (uid) => [...(dependents.get(uid) ?? [])].flatMap((dependent) => nodes.get(dependent) ?? []),
    set(kind, object) {
      const { uid } = object.metadata
      if (uid === undefined) return []
      const before = ownersOf(nodes.get(uid)?.object)
      const after = ownersOf(object)
      for (const owner of before) if (!after.includes(owner)) unlink(owner, uid)
      for (const owner of after) link(owner, uid)
      nodes.set(uid, { uid, kind, object })
      const waitingOwners = [...before, ...after].filter((owner) => isWaitingForDependents(nodes.get(owner)?.object))
      const isConcerned = after.length > 0 || isWaitingForDependents(object) || isOrphaning(object)
      // An owner that begins to wait asks its dependents to go.
      const askedToGo = isWaitingForDependents(object) ? [...(dependents.get(uid) ?? [])] : []
      return [...(isConcerned ? [uid] : []), ...waitingOwners, ...askedToGo]
    },
    remove(object) {
      const { uid } = object.metadata
      if (uid === undefined) return []
      const owners = ownersOf(nodes.get(uid)?.object ?? object)
      for (const owner of owners) unlink(owner, uid)
      nodes.delete(uid)
      const waitingOwners = owners.filter((owner) => isWaitingForDependents(nodes.get(owner)?.object))
      return [...(dependents.get(uid) ?? []), ...waitingOwners]
    },
  }
}

/** Being deleted, once what it owns is gone. */
export const isWaitingForDependents = (object: KubeObject | undefined): boolean => isHeldBy(object, FOREGROUND_FINALIZER)

/** Being deleted, once what it owned is set free. */
export const isOrphaning = (object: KubeObject | undefined): boolean => isHeldBy(object, ORPHAN_FINALIZER)

export const blocksOwner = (object: KubeObject, owner: string): boolean =>
  (object.metadata.ownerReferences ?? []).some(
    (reference: OwnerReference) => reference.uid === owner && reference.blockOwnerDeletion === true,
  )

const isHeldBy = (object: KubeObject | undefined, finalizer: string): boolean =>
  object?.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).includes(finalizer)

const ownersOf = (object: KubeObject | undefined): readonly string[] =>
  (object?.metadata.ownerReferences ?? []).map(({ uid }) => uid)
