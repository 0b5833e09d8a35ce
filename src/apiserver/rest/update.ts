import {
  badRequest,
  conflict,
  invalid,
  type KubeObject,
  type Problem,
  sameValue,
  validateObjectMetaUpdate,
} from '../../api/index.ts'
import type { UserInfo } from '../../client/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { commit, invalidObject } from './commit.ts'
import { type Handler, objectAnswer, type ResourceRequest, type RestContext } from './context.ts'
import { ATTEMPTS } from './create.ts'
import { decodeObject } from './decode.ts'
import { updatedMetadata, withGeneration } from './metadata.ts'
import { writeOptions } from './options.ts'
import { type Resource, resourceNotFound, subjectOf } from './resources.ts'

/** PUT of an object or of its status. */
export const update: Handler = async (context, request) => {
  const { target, name = '' } = request
  const options = writeOptions(request, 'UpdateOptions')
  const { object, warnings } = decodeObject(target, request.body, options)
  checkIdentity(request, object)
  const updated = await updateObject(context, {
    resource: target,
    namespace: request.namespace,
    name,
    part: request.subresource === 'status' ? 'status' : 'main',
    dryRun: options.dryRun,
    user: request.user,
    change: () => object,
  })
  return objectAnswer(target.fromHub(updated), 200, warnings)
}

/** The name and namespace in the body must be those of the URL, or absent. */
export const checkIdentity = (request: ResourceRequest, object: KubeObject): void => {
  const { name = '', namespace = '' } = request
  const { metadata } = object
  if (metadata.name && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest(`the namespace of the object (${metadata.namespace}) does not match the namespace on the URL (${namespace})`)
  }
}

/** One change of a stored object that its `change` computes. */
export interface Update {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string
  /** `main` keeps the status, `status` keeps the rest, `whole` is the server's own change and keeps nothing. */
  readonly part: 'main' | 'status' | 'whole'
  readonly dryRun: boolean
  readonly user: UserInfo
  /** What is stored becomes this; called again when somebody else was faster. A resourceVersion in it must be the stored one. */
  change(old: KubeObject): KubeObject | Promise<KubeObject>
}

/** Changes one object; the object as it is afterwards. */
export const updateObject = async (context: RestContext, request: Update): Promise<KubeObject> => {
  const { resource, name } = request
  const key = objectKey(resource.hub, resource.hub.namespaced ? request.namespace : undefined, name)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await context.store.get(key)
    if (entry === undefined) throw resourceNotFound(resource, name)
    const old = decodeEntry(entry)
    const next = await nextObject(request, old)
    // A write that changes nothing is none: no new revision, no event (as Kubernetes).
    if (sameValue(next, old)) return old
    const isGone = isFinished(next)
    const result = await commit(context, { resource, old, object: isGone ? undefined : next, dryRun: request.dryRun })
    if (result.kind === 'committed') return result.object ?? next
  }
  throw modified(resource, name)
}

/** What `old` becomes, checked in all respects. */
const nextObject = async (request: Update, old: KubeObject): Promise<KubeObject> => {
  const { resource, part } = request
  const changed = await request.change(old)
  checkPreconditions(request, changed, old)
  const carried = { ...changed, metadata: part === 'whole' ? changed.metadata : updatedMetadata(changed.metadata, old.metadata) }
  const prepared = prepare(request, carried, old)
  if (part === 'whole') return prepared
  const next = withGeneration(resource.hub, prepared, old)
  const problems = [
    ...validateObjectMetaUpdate(next.metadata, old.metadata),
    ...resource.hub.validate(next, old),
    ...(part === 'main' ? ((await resource.strategy.admit?.({ object: next, old, user: request.user })) ?? []) : []),
  ]
  if (problems.length > 0) throw invalidObject(resource, old, problems)
  return next
}

const prepare = ({ resource, part }: Update, object: KubeObject, old: KubeObject): KubeObject => {
  const { hub, strategy } = resource
  switch (part) {
    case 'whole':
      return object
    case 'status':
      return strategy.prepareForStatusUpdate?.(object, old) ?? withStatusOf(old, object)
    case 'main': {
      const own = hub.subresources.has('status') ? withStatusOf(object, old) : object
      return hub.setDefaults(strategy.prepareForUpdate?.(own, old) ?? own)
    }
    default:
      return part satisfies never
  }
}

type WithStatus = KubeObject & { readonly status?: unknown }

const withStatusOf = (object: KubeObject, other: KubeObject): KubeObject => {
  const { status: _, ...rest }: WithStatus = object
  const { status }: WithStatus = other
  const result: WithStatus = status === undefined ? rest : { ...rest, status }
  return result
}

/** Kinds that are only replaced by those who have seen what they replace. */
const CONDITIONAL = new Set(['leases', 'ipaddresses', 'servicecidrs'])

const checkPreconditions = ({ resource, name, part }: Update, next: KubeObject, old: KubeObject): void => {
  const { resourceVersion, uid } = next.metadata
  const subject = subjectOf(resource.kind, name)
  if (!resourceVersion && part === 'main' && CONDITIONAL.has(resource.hub.plural)) {
    const problem: Problem = {
      path: 'metadata.resourceVersion',
      type: 'Invalid',
      value: 0,
      detail: 'must be specified for an update',
    }
    throw invalid(subject, [problem])
  }
  if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw modified(resource, name)
  if (uid && uid !== old.metadata.uid) {
    throw conflict(subject, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid ?? ''}`)
  }
}

const modified = (resource: Resource, name: string) =>
  conflict(
    subjectOf(resource.kind, name),
    'the object has been modified; please apply your changes to the latest version and try again',
  )

/** Whether nothing holds a deleted object any longer. */
export const isFinished = (object: KubeObject): boolean => {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers = [] } = object.metadata
  if (deletionTimestamp === undefined || (deletionGracePeriodSeconds ?? 0) > 0 || finalizers.length > 0) return false
  return specFinalizers(object).length === 0
}

/** Namespaces have finalizers in their spec too. */
export const specFinalizers = (object: KubeObject): readonly unknown[] => {
  if (object.kind !== 'Namespace' || !('spec' in object)) return []
  const { spec } = object
  return typeof spec === 'object' && spec !== null && 'finalizers' in spec && Array.isArray(spec.finalizers)
    ? spec.finalizers
    : []
}
