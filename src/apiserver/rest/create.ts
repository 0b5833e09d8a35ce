import {
  ApiError,
  alreadyExists,
  badRequest,
  forbidden,
  isAlreadyExists,
  type KubeObject,
  type Namespace,
  notFound,
  validateObjectMeta,
} from '../../api/index.ts'
import type { Condition } from '../../store/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { commit, invalidObject } from './commit.ts'
import { type Handler, objectAnswer, type ResourceRequest, type RestContext } from './context.ts'
import { decodeObject } from './decode.ts'
import { internalError, methodNotAllowed } from './failures.ts'
import { newMetadata } from './metadata.ts'
import { writeOptions } from './options.ts'
import { subjectOf } from './resources.ts'

/** How often a write is tried again when something that it depends on changed meanwhile. */
export const ATTEMPTS = 20
/** How many names are tried when the generated one is taken. */
const NAME_ATTEMPTS = 8

/** POST of a new object. */
export const create: Handler = async (context, request) => {
  const { target } = request
  if (request.name !== undefined) throw methodNotAllowed('the server does not allow this method on the requested resource')
  const options = writeOptions(request, 'CreateOptions')
  const { object, warnings } = decodeObject(target, request.body, options)
  checkNamespace(request, object)
  const isGenerated = !object.metadata.name && Boolean(object.metadata.generateName)
  for (let attempt = 1; ; attempt++) {
    try {
      const created = await createOne(context, request, { object, dryRun: options.dryRun })
      return objectAnswer(target.fromHub(created), 201, warnings)
    } catch (error) {
      if (!isGenerated || !isAlreadyExists(error) || attempt === NAME_ATTEMPTS) throw error
    }
  }
}

interface NewObject {
  readonly object: KubeObject
  readonly dryRun: boolean
}

const createOne = async (context: RestContext, request: ResourceRequest, given: NewObject): Promise<KubeObject> => {
  const { target } = request
  const { hub, strategy } = target
  const metadata = newMetadata(given.object.metadata, {
    kind: hub,
    namespace: hub.namespaced ? request.namespace : undefined,
    nowMs: context.clock.now(),
  })
  const named = { ...given.object, metadata }
  const object = hub.setDefaults(strategy.prepareForCreate?.(named) ?? named)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const namespaceCondition = await namespaceExists(context, request, metadata.name)
    const problems = [
      ...validateObjectMeta(object.metadata, { namespaced: hub.namespaced, nameRule: hub.nameRule }),
      ...hub.validate(object),
      ...((await strategy.admit?.({ object, old: undefined, user: request.user })) ?? []),
    ]
    if (problems.length > 0) throw invalidObject(target, object, problems)
    const result = await commit(context, {
      resource: target,
      old: undefined,
      object,
      dryRun: given.dryRun,
      conditions: namespaceCondition,
    })
    if (result.kind === 'committed') return result.object ?? object
    if (result.kind === 'changed') throw alreadyExists(subjectOf(target.kind, metadata.name))
  }
  throw internalError(`the write was overtaken ${ATTEMPTS} times`)
}

/** The namespace in the URL is the one that counts. */
const checkNamespace = (request: ResourceRequest, object: KubeObject): void => {
  const { hub } = request.target
  const given = object.metadata.namespace
  if (hub.namespaced && request.namespace === undefined) {
    throw badRequest('an empty namespace may not be set during creation')
  }
  if (given && given !== (request.namespace ?? '')) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
}

/**
 * Refuses new content where there is no namespace, or where it is being deleted (Kubernetes' NamespaceLifecycle admission);
 * the condition keeps that true until the object is written.
 */
const namespaceExists = async (context: RestContext, request: ResourceRequest, name: string): Promise<readonly Condition[]> => {
  const { namespace, target } = request
  if (!target.hub.namespaced || namespace === undefined) return []
  const namespaces = context.resources.hub('', 'namespaces').kind
  const key = objectKey(namespaces, undefined, namespace)
  const entry = await context.store.get(key)
  if (entry === undefined) throw notFound(subjectOf(namespaces, namespace))
  // Only Namespaces are stored under this key.
  const found = decodeEntry(entry) as Namespace
  if (found.metadata.deletionTimestamp !== undefined || found.status?.phase === 'Terminating') {
    throw terminating(request, name, namespace)
  }
  return [{ key, modRevision: entry.modRevision }]
}

const terminating = (request: ResourceRequest, name: string, namespace: string): ApiError => {
  const refused = forbidden(
    subjectOf(request.target.kind, name),
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  )
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: refused.message,
    details: { ...refused.details, causes: [cause] },
  })
}
