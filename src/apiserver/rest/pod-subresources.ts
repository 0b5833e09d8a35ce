import { badRequest, conflict, type ObjectReference, objectReferenceSchema, type Pod, podKind } from '../../api/index.ts'
import type { PodLogRequest } from '../../client/index.ts'
import { always, object, required, string } from '../../schema/index.ts'
import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { type Handler, objectAnswer, type ResourceRequest, type RestContext } from './context.ts'
import { decodeBody, isRecord } from './decode.ts'
import { deleteObject } from './delete.ts'
import { decodeDeleteOptions } from './delete-options.ts'
import { serviceUnavailable } from './failures.ts'
import { timestamp } from './metadata.ts'
import { booleanParameter, integerParameter, writeOptions } from './options.ts'
import { resourceNotFound, subjectOf } from './resources.ts'
import { updateObject } from './update.ts'

/** GET pods/NAME/log. */
export const podLog: Handler = async (context, request) => {
  const { podLogs } = context
  if (podLogs === undefined) throw serviceUnavailable('no node gives logs to this API server')
  const pod = await podOf(context, request)
  const signals = [context.stopping, ...(request.signal === undefined ? [] : [request.signal])]
  const chunks = await podLogs.read({ ...logRequest(request, pod), signal: AbortSignal.any(signals) })
  return { kind: 'stream', contentType: 'text/plain', chunks }
}

const podOf = async (context: RestContext, { target, namespace, name = '' }: ResourceRequest): Promise<Pod> => {
  const entry = await context.store.get(objectKey(podKind, namespace, name))
  if (entry === undefined) throw resourceNotFound(target, name)
  // Only Pods are stored under this key.
  return decodeEntry(entry) as Pod
}

const logRequest = ({ query }: ResourceRequest, pod: Pod): Omit<PodLogRequest, 'signal'> => {
  const tailLines = nonNegative(query, 'tailLines')
  const sinceSeconds = nonNegative(query, 'sinceSeconds')
  const limitBytes = nonNegative(query, 'limitBytes')
  return {
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    container: containerOf(pod, query['container']),
    follow: booleanParameter(query, 'follow'),
    previous: booleanParameter(query, 'previous'),
    timestamps: booleanParameter(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  }
}

const nonNegative = (query: Readonly<Record<string, string>>, name: string): number | undefined => {
  const value = integerParameter(query, name)
  if (value !== undefined && value < 0) throw badRequest(`${name} must be greater than or equal to 0`)
  return value
}

const containerOf = (pod: Pod, wanted: string | undefined): string => {
  const names = pod.spec.containers.map((container) => container.name)
  const initNames = (pod.spec.initContainers ?? []).map((container) => container.name)
  const [only] = names
  if (!wanted) {
    if (only !== undefined && names.length === 1) return only
    const init = initNames.length === 0 ? '' : ` or one of the init containers: [${initNames.join(' ')}]`
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]${init}`,
    )
  }
  if (names.includes(wanted) || initNames.includes(wanted)) return wanted
  throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`)
}

interface Binding {
  readonly target: ObjectReference
}

const bindingSchema = object('Binding', {
  apiVersion: always(undefined, string()),
  kind: always(undefined, string()),
  target: required(2, objectReferenceSchema),
})

/** POST pods/NAME/binding: gives a Pod its node, once. */
export const bindPod: Handler = async (context, request) => {
  const { target, namespace, name = '' } = request
  const options = writeOptions(request, 'CreateOptions')
  const expected = { apiVersion: 'v1', kind: 'Binding', schema: bindingSchema }
  const nodeName = decodeBody<Binding>(expected, request.body, { ...options, fieldValidation: 'Ignore' }).object.target.name
  if (!nodeName) throw badRequest('Binding "target.name" is required')
  await updateObject(context, {
    resource: target,
    namespace,
    name,
    part: 'whole',
    dryRun: options.dryRun,
    user: request.user,
    change: (old) => bound(old as Pod, nodeName, { request, nowMs: context.clock.now() }),
  })
  return objectAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
}

interface BindingTime {
  readonly request: ResourceRequest
  readonly nowMs: number
}

const bound = (pod: Pod, nodeName: string, { request, nowMs }: BindingTime): Pod => {
  const { name, deletionTimestamp } = pod.metadata
  const refuse = (cause: string) => conflict(subjectOf(request.target.kind, name), cause)
  if (deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  if (pod.spec.nodeName) throw refuse(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`)
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(nowMs) } as const
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== scheduled.type), scheduled]
  return { ...pod, spec: { ...pod.spec, nodeName }, status: { ...pod.status, conditions } }
}

/** POST pods/NAME/eviction: a delete that asks politely; nothing here refuses it. */
export const evictPod: Handler = async (context, request) => {
  const { target, namespace, name = '', body, query } = request
  const given = isRecord(body) ? body['deleteOptions'] : undefined
  const { options, dryRun } = decodeDeleteOptions({ body: given, query })
  await deleteObject(context, { resource: target, namespace, name, options, dryRun, user: request.user })
  return objectAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
}
