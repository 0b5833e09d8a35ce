import { apiVersionOf, isNotFound, type Kind, type KubeObject, type OwnerReference } from '../api/index.ts'
import type { Client } from '../client/index.ts'

/** The owner that manages `object`. */
export const controllerOf = ({ metadata }: KubeObject): OwnerReference | undefined =>
  metadata.ownerReferences?.find((owner) => owner.controller === true)

/** Whether `owner` manages `object`. */
export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid && owner.metadata.uid !== undefined

/** The reference that makes `owner` the manager of an object. */
export const controllerReference = (kind: Kind, owner: KubeObject): OwnerReference => ({
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
})

export interface Claim<O extends KubeObject, T extends KubeObject> {
  readonly client: Client
  readonly ownerKind: Kind<O>
  readonly owner: O
  readonly kind: Kind<T>
  /** Objects that the owner manages or that its selector selects. */
  readonly candidates: readonly T[]
  isSelected(object: T): boolean
}

/**
 * The objects that belong to the owner: adopts those that it selects and nobody manages, lets go of those that it manages
 * and no longer selects.
 */
export const claim = async <O extends KubeObject, T extends KubeObject>(request: Claim<O, T>): Promise<readonly T[]> => {
  const { owner, candidates, isSelected } = request
  const mine = candidates.filter((object) => isControlledBy(object, owner))
  const kept = mine.filter(isSelected)
  if (owner.metadata.deletionTimestamp !== undefined) return kept
  for (const object of mine) if (!isSelected(object)) await release(request, object)
  const orphans = candidates.filter(
    (object) => controllerOf(object) === undefined && isSelected(object) && object.metadata.deletionTimestamp === undefined,
  )
  if (orphans.length === 0 || !(await isStillThere(request))) return kept
  const adopted: T[] = []
  for (const object of orphans) {
    const taken = await adopt(request, object)
    if (taken) adopted.push(taken)
  }
  return [...kept, ...adopted]
}

/** Asks the server itself: a cache that is behind must not make an owner adopt after its deletion. */
const isStillThere = async <O extends KubeObject, T extends KubeObject>({
  client,
  ownerKind,
  owner,
}: Claim<O, T>): Promise<boolean> => {
  try {
    const fresh = await client.get(ownerKind, owner.metadata)
    return fresh.metadata.uid === owner.metadata.uid && fresh.metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

const adopt = async <O extends KubeObject, T extends KubeObject>(request: Claim<O, T>, object: T): Promise<T | undefined> => {
  const { client, kind, ownerKind, owner } = request
  const ownerReferences = [...(object.metadata.ownerReferences ?? []), controllerReference(ownerKind, owner)]
  return patchOwners(client, kind, object, ownerReferences)
}

const release = async <O extends KubeObject, T extends KubeObject>(
  { client, kind, owner }: Claim<O, T>,
  object: T,
): Promise<void> => {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid)
  await patchOwners(client, kind, object, ownerReferences)
}

/** Sets the owners of exactly this version of `object`; undefined when it is gone. */
const patchOwners = async <T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  object: T,
  ownerReferences: readonly OwnerReference[],
): Promise<T | undefined> => {
  const { uid, resourceVersion } = object.metadata
  try {
    return await client.patch(kind, object.metadata, {
      type: 'merge',
      value: { metadata: { uid, resourceVersion, ownerReferences } },
    })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
