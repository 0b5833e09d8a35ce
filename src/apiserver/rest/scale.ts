import { badRequest, type KubeObject, type Problem, type Scale, scaleSchema } from '../../api/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { invalidObject } from './commit.ts'
import { type Handler, objectAnswer, type ResourceRequest, type RestContext } from './context.ts'
import { decodeBody, isRecord } from './decode.ts'
import { type WriteOptions, writeOptions } from './options.ts'
import { patchValue } from './patch.ts'
import { type Resource, resourceNotFound } from './resources.ts'
import { updateObject } from './update.ts'

const SCALE = { apiVersion: 'autoscaling/v1', kind: 'Scale', schema: scaleSchema } as const

/** GET of the scale of a Deployment or ReplicaSet. */
export const getScale: Handler = async (context, { target, namespace, name = '' }) => {
  const entry = await context.store.get(objectKey(target.hub, namespace, name))
  if (entry === undefined) throw resourceNotFound(target, name)
  return objectAnswer(scaleOf(decodeEntry(entry)))
}

/** PUT of a scale: how many replicas there shall be. */
export const updateScale: Handler = async (context, request) => {
  const options = writeOptions(request, 'UpdateOptions')
  return setScale(context, request, { options, scale: () => request.body })
}

/** PATCH of a scale. */
export const patchScale: Handler = async (context, request) => {
  const options = writeOptions(request, 'PatchOptions')
  return setScale(context, request, { options, scale: (present) => patchValue(request, present, scaleSchema) })
}

interface ScaleChange {
  readonly options: WriteOptions
  scale(present: Scale): unknown
}

const setScale = async (context: RestContext, request: ResourceRequest, { options, scale }: ScaleChange) => {
  const { target, namespace, name = '' } = request
  let warnings: readonly string[] = []
  const updated = await updateObject(context, {
    resource: target,
    namespace,
    name,
    part: 'main',
    dryRun: options.dryRun,
    user: request.user,
    change(old) {
      const decoded = decodeBody<Scale>(SCALE, scale(scaleOf(old)), options)
      warnings = decoded.warnings
      return scaled(target, old, decoded.object)
    },
  })
  return objectAnswer(scaleOf(updated), 200, warnings)
}

const scaled = (target: Resource, old: KubeObject, scale: Scale): KubeObject => {
  const { name, resourceVersion } = scale.metadata
  if (name && name !== old.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${old.metadata.name})`)
  }
  const replicas = scale.spec?.replicas ?? 0
  if (replicas < 0) {
    const problem: Problem = {
      path: 'spec.replicas',
      type: 'Invalid',
      value: replicas,
      detail: 'must be greater than or equal to 0',
    }
    throw invalidObject(target, old, [problem])
  }
  return {
    ...old,
    metadata: { ...old.metadata, resourceVersion: resourceVersion || old.metadata.resourceVersion },
    spec: { ...record(old, 'spec'), replicas },
  } as KubeObject
}

const scaleOf = (object: KubeObject): Scale => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const status = record(object, 'status')
  return {
    apiVersion: SCALE.apiVersion,
    kind: SCALE.kind,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: integer(record(object, 'spec')['replicas']) },
    status: { replicas: integer(status['replicas']), selector: selectorText(record(object, 'spec')['selector']) },
  }
}

const record = (object: KubeObject, field: 'spec' | 'status'): Readonly<Record<string, unknown>> => {
  const value: unknown = Reflect.get(object, field)
  return isRecord(value) ? value : {}
}

const integer = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** A label selector as the text that `?labelSelector=` takes. */
const selectorText = (selector: unknown): string => {
  if (!isRecord(selector)) return ''
  const labels = isRecord(selector['matchLabels']) ? selector['matchLabels'] : {}
  const equals = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`)
  const expressions = Array.isArray(selector['matchExpressions']) ? selector['matchExpressions'] : []
  return [...equals, ...expressions.filter(isRecord).map(expressionText)].sort().join(',')
}

const expressionText = (expression: Readonly<Record<string, unknown>>): string => {
  const key = String(expression['key'])
  const values = Array.isArray(expression['values']) ? [...expression['values']].sort().join(',') : ''
  switch (expression['operator']) {
    case 'In':
      return `${key} in (${values})`
    case 'NotIn':
      return `${key} notin (${values})`
    case 'DoesNotExist':
      return `!${key}`
    default:
      return key
  }
}
