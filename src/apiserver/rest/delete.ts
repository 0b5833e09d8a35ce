import { conflict, type DeleteOptions, type KubeObject, type Problem } from '../../api/index.ts'
import type { UserInfo } from '../../client/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { commit } from './commit.ts'
import { type Handler, objectAnswer, type RestContext } from './context.ts'
import { ATTEMPTS } from './create.ts'
import { decodeDeleteOptions } from './delete-options.ts'
import { internalError, invalidOptions } from './failures.ts'
import { timestamp } from './metadata.ts'
import { type Resource, resourceNotFound, subjectOf } from './resources.ts'
import { isFinished } from './update.ts'

/** Kinds whose DELETE answers with the object even when it is gone (as Kubernetes). */
const ANSWERS_OBJECT = new Set(['pods', 'services', 'serviceaccounts'])

/** DELETE of one object. */
export const remove: Handler = async (context, request) => {
  const { target, name = '' } = request
  const { options, dryRun } = decodeDeleteOptions(request)
  const outcome = await deleteObject(context, {
    resource: target,
    namespace: request.namespace,
    name,
    options,
    dryRun,
    user: request.user,
  })
  if (outcome.isPending || ANSWERS_OBJECT.has(target.hub.plural)) return objectAnswer(target.fromHub(outcome.object))
  return objectAnswer(successStatus(target, outcome.object))
}

const successStatus = (target: Resource, object: KubeObject): unknown => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: {
    name: object.metadata.name,
    ...(target.kind.group === '' ? {} : { group: target.kind.group }),
    kind: target.kind.plural,
    uid: object.metadata.uid,
  },
})

export interface Deletion {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  readonly options: DeleteOptions
  readonly dryRun: boolean
  readonly user: UserInfo
}

interface Outcome {
  /** As it was, or as it is while something holds it. */
  readonly object: KubeObject
  readonly isPending: boolean
}

/** Deletes one object, or marks it as being deleted while finalizers or a grace period hold it. */
export const deleteObject = async (context: RestContext, request: Deletion): Promise<Outcome> => {
  const { resource, name, dryRun } = request
  const key = objectKey(resource.hub, resource.hub.namespaced ? request.namespace : undefined, name)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await context.store.get(key)
    if (entry === undefined) throw resourceNotFound(resource, name)
    const old = decodeEntry(entry)
    checkPreconditions(request, old)
    resource.strategy.checkDelete?.(old)
    const marked = markDeleted(request, old, context.clock.now())
    if (marked === old) return { object: old, isPending: true }
    const isGone = isFinished(marked)
    const result = await commit(context, { resource, old, object: isGone ? undefined : marked, dryRun })
    if (result.kind !== 'committed') continue
    return isGone ? { object: old, isPending: false } : { object: result.object ?? marked, isPending: true }
  }
  throw internalError(`the deletion was overtaken ${ATTEMPTS} times`)
}

const checkPreconditions = ({ resource, name, options }: Deletion, old: KubeObject): void => {
  const { uid, resourceVersion } = options.preconditions ?? {}
  const subject = subjectOf(resource.kind, name)
  if (uid !== undefined && uid !== old.metadata.uid) {
    throw conflict(subject, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid ?? ''}`)
  }
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(
      subject,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${old.metadata.resourceVersion ?? ''}`,
    )
  }
}

/** `old` with the marks of its deletion; `old` itself when it has them already. */
const markDeleted = ({ resource, options }: Deletion, old: KubeObject, nowMs: number): KubeObject => {
  const finalizers = deletionFinalizers(options, old.metadata.finalizers ?? [])
  const grace = graceSeconds(resource, options, old)
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = old.metadata
  const isSameFinalizers = finalizers.join() === (old.metadata.finalizers ?? []).join()
  if (deletionTimestamp !== undefined && isSameFinalizers && grace >= deletionGracePeriodSeconds) {
    return isFinished(old) ? { ...old, metadata: { ...old.metadata } } : old
  }
  // A later request may only shorten the time that is left.
  const seconds = deletionTimestamp === undefined ? grace : Math.min(grace, deletionGracePeriodSeconds)
  const marked: KubeObject = {
    ...old,
    metadata: {
      ...old.metadata,
      finalizers: finalizers.length === 0 ? undefined : finalizers,
      deletionTimestamp: timestamp(nowMs + seconds * 1000),
      deletionGracePeriodSeconds: seconds,
      generation: old.metadata.generation === undefined ? undefined : old.metadata.generation + 1,
    },
  }
  return resource.strategy.prepareForDelete?.(marked) ?? marked
}

const graceSeconds = (resource: Resource, options: DeleteOptions, old: KubeObject): number => {
  const wanted = options.gracePeriodSeconds
  const seconds = resource.strategy.graceSeconds?.(old, wanted) ?? 0
  return Math.max(0, seconds)
}

/** The finalizers that the propagation policy asks for. */
const deletionFinalizers = (options: DeleteOptions, present: readonly string[]): readonly string[] => {
  const policy = policyOf(options)
  if (policy === undefined) return present
  const others = present.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion')
  switch (policy) {
    case 'Background':
      return others
    case 'Foreground':
      return [...others, 'foregroundDeletion']
    case 'Orphan':
      return [...others, 'orphan']
    default:
      return policy satisfies never
  }
}

type Policy = 'Background' | 'Foreground' | 'Orphan'

const policyOf = ({ propagationPolicy, orphanDependents }: DeleteOptions): Policy | undefined => {
  const problems: Problem[] = []
  if (propagationPolicy !== undefined && orphanDependents !== undefined) {
    problems.push({
      path: 'propagationPolicy',
      type: 'Invalid',
      value: propagationPolicy,
      detail: 'orphanDependents and deletionPropagation cannot be both set',
    })
  }
  if (orphanDependents !== undefined && problems.length === 0) return orphanDependents ? 'Orphan' : 'Background'
  switch (propagationPolicy) {
    case undefined:
      return undefined
    case 'Background':
    case 'Foreground':
    case 'Orphan':
      if (problems.length === 0) return propagationPolicy
      break
    default:
      problems.push({
        path: 'propagationPolicy',
        type: 'NotSupported',
        value: propagationPolicy,
        detail: 'supported values: "Foreground", "Background", "Orphan"',
      })
  }
  throw invalidOptions('DeleteOptions', problems)
}
