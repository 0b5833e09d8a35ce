import { randomBytes, randomUUID } from 'node:crypto'
import { badRequest, type Kind, type KubeObject, type ObjectMeta, sameValue } from '../../api/index.ts'

/** `2026-01-02T03:04:05Z`. */
export const timestamp = (nowMs: number): string => `${new Date(nowMs).toISOString().slice(0, 19)}Z`

interface NewMetadata {
  readonly kind: Kind
  readonly namespace: string | undefined
  readonly nowMs: number
}

/** The metadata of a new object: what the server gives is set, what a client may not set is dropped. */
export const newMetadata = (metadata: ObjectMeta, options: NewMetadata): ObjectMeta => {
  if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created')
  const { selfLink, deletionTimestamp, deletionGracePeriodSeconds, managedFields, resourceVersion, namespace, ...kept } = metadata
  return {
    ...kept,
    name: metadata.name || (metadata.generateName ? generatedName(metadata.generateName) : ''),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    uid: randomUUID(),
    creationTimestamp: timestamp(options.nowMs),
    generation: hasGeneration(options.kind) ? 1 : undefined,
  }
}

const NAME_LIMIT = 63
const SUFFIX_LENGTH = 5
/** No vowels and no digits that look like them, so that no words appear. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789'

const generatedName = (base: string): string => {
  const suffix = Array.from(randomBytes(SUFFIX_LENGTH), (byte) => SUFFIX_LETTERS[byte % SUFFIX_LETTERS.length])
  return `${base.slice(0, NAME_LIMIT - SUFFIX_LENGTH)}${suffix.join('')}`
}

/** The metadata of `next` in place of `old`: what the server keeps is carried over. */
export const updatedMetadata = (next: ObjectMeta, old: ObjectMeta): ObjectMeta => {
  const { selfLink, managedFields, ...kept } = next
  return {
    ...kept,
    name: next.name || old.name,
    ...(old.namespace === undefined ? {} : { namespace: old.namespace }),
    uid: next.uid || old.uid,
    creationTimestamp: next.creationTimestamp || old.creationTimestamp,
    generateName: next.generateName || old.generateName,
    deletionTimestamp: old.deletionTimestamp,
    deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
    generation: old.generation,
    resourceVersion: old.resourceVersion,
  }
}

/** Kinds whose `metadata.generation` counts changes of what was asked for. */
const GENERATIONS = new Set(['deployments', 'replicasets', 'ingresses', 'ingressclasses', 'endpointslices', 'pods'])

const hasGeneration = (kind: Kind): boolean => GENERATIONS.has(kind.plural)

/** `next` with its generation raised when anything but metadata and status differs from `old`. */
export const withGeneration = <T extends KubeObject>(kind: Kind, next: T, old: T): T => {
  if (!hasGeneration(kind) || sameValue(withoutStatus(next), withoutStatus(old))) return next
  return { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } }
}

const withoutStatus = (object: KubeObject): unknown => ({ ...object, metadata: undefined, status: undefined })
