import {
  ApiError,
  isConflict,
  isNotFound,
  type Kind,
  type KubeObject,
  type Namespace,
  type NamespaceCondition,
  namespaceKind,
} from '../../api/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { KUBERNETES_FINALIZER, type Left } from './desired.ts'

export interface ApplyOptions {
  readonly client: Client
  readonly signal: AbortSignal
}

const PAGE_SIZE = 500
const AT_A_TIME = 16

/** Tells everything in the namespace to go, and counts what stays: objects with finalizers, pods in their grace period. */
export const deleteContents = async (namespace: string, kinds: readonly Kind[], options: ApplyOptions): Promise<Left> => {
  const byResource = new Map<string, number>()
  const byFinalizer = new Map<string, number>()
  const errors: string[] = []
  let total = 0
  for (const kind of kinds) {
    try {
      for (const object of await deleteAll(namespace, kind, options)) {
        total++
        count(byResource, kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`)
        for (const finalizer of object.metadata.finalizers ?? []) count(byFinalizer, finalizer)
      }
    } catch (error) {
      // A kind that the server doesn't serve has no objects.
      if (error instanceof ApiError && (error.code === 404 || error.code === 405)) continue
      total++
      errors.push(`${kind.plural}: ${errorMessage(error)}`)
    }
  }
  return { total, byResource, byFinalizer, errors }
}

/** Lets the namespace go. */
export const finalize = async (namespace: Namespace, { client, signal }: ApplyOptions): Promise<void> => {
  const finalizers = (namespace.spec.finalizers ?? []).filter((name) => name !== KUBERNETES_FINALIZER)
  const next = { ...namespace, spec: { ...namespace.spec, finalizers } }
  await client.update(namespaceKind, next, { subresource: 'finalize', signal }).catch(unlessGone)
}

export const writeConditions = async (
  namespace: Namespace,
  conditions: readonly NamespaceCondition[],
  { client, signal }: ApplyOptions,
): Promise<void> => {
  const next = { ...namespace, status: { ...namespace.status, conditions } }
  await client.update(namespaceKind, next, { subresource: 'status', signal }).catch(unlessGone)
}

/** Deletes all objects of a kind; those that are held, or that go slowly. */
const deleteAll = async (namespace: string, kind: Kind, { client, signal }: ApplyOptions): Promise<readonly KubeObject[]> => {
  const held: KubeObject[] = []
  let token: string | undefined
  do {
    const page = await client.list(kind, {
      namespace,
      limit: PAGE_SIZE,
      signal,
      ...(token === undefined ? {} : { continue: token }),
    })
    for (let start = 0; start < page.items.length; start += AT_A_TIME) {
      const some = page.items.slice(start, start + AT_A_TIME)
      const left = await Promise.all(some.map((object) => deleteOne(kind, object, { client, signal })))
      held.push(...left.filter((object) => object !== undefined))
    }
    token = page.continue
  } while (token !== undefined)
  return held
}

const deleteOne = async (kind: Kind, object: KubeObject, { client, signal }: ApplyOptions): Promise<KubeObject | undefined> => {
  // What is going already needs no second word.
  if (object.metadata.deletionTimestamp !== undefined) return object
  const { uid } = object.metadata
  try {
    return await client.delete(kind, object.metadata, {
      propagationPolicy: 'Background',
      signal,
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    })
  } catch (error) {
    if (isNotFound(error)) return undefined
    // Another object took its name meanwhile.
    if (isConflict(error)) return object
    throw error
  }
}

const count = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)

const unlessGone = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error
  return undefined
}
