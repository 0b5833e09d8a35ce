import { randomBytes } from 'node:crypto'
import { applyPatch as applyJsonPatch } from 'rfc6902'
import { ApiError, badRequest, type Kind } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'
import type { ApiRequest } from '../api-port.ts'
import type { FakeObject } from './fake-store.ts'

/** The object that a create stores. */
export const created = (kind: Kind, { body, namespace }: ApiRequest, clock: Clock): FakeObject => {
  const object = kind.setDefaults(asObject(body))
  const { name, generateName } = object.metadata
  const { resourceVersion: _, uid: __, deletionTimestamp: ___, ...metadata } = object.metadata
  const { status: ____, ...rest } = object as FakeObject
  if (!name && !generateName) throw badRequest('name or generateName is required')
  return {
    ...(kind.subresources.has('status') ? rest : object),
    ...(kind.plural === 'namespaces' ? { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } } : {}),
    metadata: {
      ...metadata,
      name: name || `${generateName}${randomBytes(3).toString('hex').slice(0, 5)}`,
      ...(kind.namespaced ? { namespace: namespace ?? metadata.namespace ?? 'default' } : {}),
      generation: 1,
      creationTimestamp: timestamp(clock),
    },
  }
}

interface Update {
  readonly old: FakeObject
  readonly body: unknown
  readonly subresource: string | undefined
}

/** The object that an update stores. */
export const updated = (kind: Kind, { old, body, subresource }: Update): FakeObject | 'conflict' | 'same' => {
  const next = asObject(body)
  const { resourceVersion, uid } = next.metadata
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) return 'conflict'
  if (uid !== undefined && uid !== old.metadata.uid) return 'conflict'
  const merged = subresource === 'status' ? { ...old, status: next.status } : mainPart(kind, old, next)
  const isSame = JSON.stringify(sorted(merged)) === JSON.stringify(sorted(old))
  if (isSame) return 'same'
  const specChanged = JSON.stringify(sorted(merged.spec)) !== JSON.stringify(sorted(old.spec))
  const generation = (old.metadata.generation ?? 1) + (specChanged ? 1 : 0)
  return { ...merged, metadata: { ...merged.metadata, generation } }
}

const mainPart = (kind: Kind, old: FakeObject, next: FakeObject): FakeObject => {
  const { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds } = old.metadata
  const kept = { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds }
  const status = kind.subresources.has('status') ? { status: old.status } : {}
  return JSON.parse(JSON.stringify({ ...kind.setDefaults(next), metadata: { ...next.metadata, ...kept }, ...status }))
}

/** A namespace with the finalizers of `body`. */
export const finalized = (old: FakeObject, body: unknown): FakeObject => ({ ...old, spec: asObject(body).spec })

/** A pod with the node that `body`, a Binding, names. */
export const bound = (old: FakeObject, body: unknown): FakeObject => {
  const node = isRecord(body) && isRecord(body['target']) ? body['target']['name'] : undefined
  const spec = isRecord(old.spec) ? old.spec : {}
  if (typeof node !== 'string') throw badRequest('a Binding needs target.name')
  if (spec['nodeName'] !== undefined) {
    throw new ApiError({
      code: 409,
      reason: 'Conflict',
      message: `pod ${old.metadata.name} is already assigned to node "${String(spec['nodeName'])}"`,
    })
  }
  return { ...old, spec: { ...spec, nodeName: node } }
}

interface Deletion {
  readonly old: FakeObject
  readonly body: unknown
  readonly clock: Clock
}

/** What a delete leaves. */
export const deletion = (kind: Kind, { old, body, clock }: Deletion): FakeObject | 'gone' | 'conflict' => {
  const options = isRecord(body) ? body : {}
  const preconditions = isRecord(options['preconditions']) ? options['preconditions'] : {}
  const { uid, resourceVersion } = preconditions
  if (uid !== undefined && uid !== old.metadata.uid) return 'conflict'
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) return 'conflict'
  const spec = isRecord(old.spec) ? old.spec : {}
  const finalizers = finalizersOf(old, options['propagationPolicy'])
  const graceSeconds = graceOf(kind, spec, options['gracePeriodSeconds'])
  const held =
    finalizers.length > 0 ||
    graceSeconds > 0 ||
    (kind.plural === 'namespaces' && Array.isArray(spec['finalizers']) && spec['finalizers'].length > 0)
  if (!held) return 'gone'
  const known = old.metadata.deletionTimestamp !== undefined
  if (
    known &&
    graceSeconds >= (old.metadata.deletionGracePeriodSeconds ?? 0) &&
    finalizers.length === (old.metadata.finalizers ?? []).length
  ) {
    return old
  }
  return {
    ...old,
    ...(kind.plural === 'namespaces' ? { status: { ...(isRecord(old.status) ? old.status : {}), phase: 'Terminating' } } : {}),
    metadata: {
      ...old.metadata,
      finalizers,
      deletionTimestamp: old.metadata.deletionTimestamp ?? timestamp(clock),
      deletionGracePeriodSeconds: graceSeconds,
      generation: (old.metadata.generation ?? 1) + (known ? 0 : 1),
    },
  }
}

const finalizersOf = (old: FakeObject, policy: unknown): readonly string[] => {
  const others = (old.metadata.finalizers ?? []).filter((name) => name !== 'orphan' && name !== 'foregroundDeletion')
  if (policy === 'Foreground') return [...others, 'foregroundDeletion']
  if (policy === 'Orphan') return [...others, 'orphan']
  return policy === 'Background' ? others : (old.metadata.finalizers ?? [])
}

const graceOf = (kind: Kind, spec: Readonly<Record<string, unknown>>, asked: unknown): number => {
  if (kind.plural !== 'pods' || spec['nodeName'] === undefined) return 0
  if (typeof asked === 'number') return asked
  const own = spec['terminationGracePeriodSeconds']
  return typeof own === 'number' ? own : 30
}

/** The object after the request's patch. */
export const applyPatch = (object: FakeObject, { patchType, body }: ApiRequest): FakeObject => {
  if (patchType === 'merge') return asObject(merge(object, body))
  if (patchType !== 'json' || !Array.isArray(body)) {
    throw new ApiError({ code: 415, reason: 'UnsupportedMediaType', message: `the fake does not know ${patchType} patches` })
  }
  const copy: unknown = JSON.parse(JSON.stringify(object))
  const failures = applyJsonPatch(copy, body).filter((failure) => failure !== null)
  if (failures.length > 0) throw new ApiError({ code: 422, reason: 'Invalid', message: String(failures[0]) })
  return asObject(copy)
}

const merge = (target: unknown, patch: unknown): unknown => {
  if (!isRecord(patch)) return patch
  const merged = new Map(Object.entries(isRecord(target) ? target : {}))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, merge(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

const asObject = (value: unknown): FakeObject => {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw badRequest('the body is not an object of the API')
  // The fake checks no more than this.
  return value as unknown as FakeObject
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .filter((key) => value[key] !== undefined)
      .map((key) => [key, sorted(value[key])]),
  )
}

const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
