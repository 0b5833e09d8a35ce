import type { Kind, Subresource } from '../../api/index.ts'
import type { JsonSchema } from '../../schema/index.ts'

/** What the operations of one kind refer to. */
export interface KindRefs {
  readonly object: string
  readonly list: string
  readonly patch: string
  readonly status: string
  readonly deleteOptions: string
  /** Of the scale subresource, where the kind has one. */
  readonly scale: string | undefined
}

type PathItems = Readonly<Record<string, JsonSchema>>

/** The paths of a kind: its collections, its objects, and the subresources that hold an object. */
export const kindPaths = (kind: Kind, refs: KindRefs): PathItems => {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  const collection = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`
  const scope = kind.namespaced ? [pathParameter('namespace')] : []
  const makers = operationMakers(kind, refs)
  const paths: Record<string, JsonSchema> = {
    [collection]: { get: makers.list(), post: makers.create(), delete: makers.deleteCollection(), parameters: scope },
    [`${collection}/{name}`]: {
      get: makers.get(''),
      put: makers.replace(''),
      patch: makers.patch(''),
      delete: makers.delete(),
      parameters: [...scope, pathParameter('name')],
    },
  }
  if (kind.namespaced) paths[`${root}/${kind.plural}`] = { get: makers.list('ForAllNamespaces') }
  for (const subresource of objectSubresources) {
    if (!kind.subresources.has(subresource)) continue
    paths[`${collection}/{name}/${subresource}`] = {
      get: makers.get(subresource),
      put: makers.replace(subresource),
      patch: makers.patch(subresource),
      parameters: [...scope, pathParameter('name')],
    }
  }
  return paths
}

const objectSubresources: readonly Subresource[] = ['status', 'scale']

const operationMakers = (kind: Kind, refs: KindRefs) => {
  const tag = `${(kind.group === '' ? 'core' : kind.group).split('.')[0]}_${kind.version}`
  const operation = (action: string, { subresource = '', suffix = '', ...rest }: OperationParts): JsonSchema => ({
    tags: [tag],
    operationId: operationId(action, kind, `${capital(subresource)}${suffix}`),
    ...rest,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind':
      subresource === 'scale'
        ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
        : { group: kind.group, version: kind.version, kind: kind.kind },
  })
  const refOf = (subresource: string): string => (subresource === 'scale' && refs.scale !== undefined ? refs.scale : refs.object)
  const body = (ref: string, types: readonly string[]) => ({
    required: true,
    content: Object.fromEntries(types.map((type) => [type, { schema: { $ref: ref } }])),
  })
  return {
    list: (suffix = '') =>
      operation('list', { suffix, parameters: queryParameters(listQuery), responses: answer(refs.list, ['200']) }),
    get: (subresource: string) => operation('get', { subresource, responses: answer(refOf(subresource), ['200']) }),
    create: () =>
      operation('post', {
        parameters: queryParameters(writeQuery),
        requestBody: body(refs.object, ['*/*']),
        responses: answer(refs.object, ['200', '201', '202']),
      }),
    replace: (subresource: string) =>
      operation('put', {
        subresource,
        parameters: queryParameters(writeQuery),
        requestBody: body(refOf(subresource), ['*/*']),
        responses: answer(refOf(subresource), ['200', '201']),
      }),
    patch: (subresource: string) =>
      operation('patch', {
        subresource,
        parameters: queryParameters(writeQuery),
        requestBody: body(refs.patch, patchTypes),
        responses: answer(refOf(subresource), ['200', '201']),
      }),
    delete: () =>
      operation('delete', {
        parameters: queryParameters(deleteQuery),
        requestBody: { content: { '*/*': { schema: { $ref: refs.deleteOptions } } } },
        responses: answer(refs.status, ['200', '202']),
      }),
    deleteCollection: () =>
      operation('deletecollection', {
        parameters: queryParameters([...deleteQuery, ...listQuery]),
        responses: answer(refs.status, ['200']),
      }),
  }
}

interface OperationParts {
  readonly subresource?: string
  readonly suffix?: string
  readonly parameters?: readonly JsonSchema[]
  readonly requestBody?: JsonSchema
  readonly responses: JsonSchema
}

/** `kubectl` sees in these that the server validates fields, and that it knows dry-run. */
const writeQuery = ['dryRun', 'fieldManager', 'fieldValidation']
const deleteQuery = ['dryRun', 'gracePeriodSeconds', 'propagationPolicy']
const listQuery = [
  'allowWatchBookmarks',
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'resourceVersionMatch',
  'sendInitialEvents',
  'timeoutSeconds',
  'watch',
]

const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']

const queryTypes: Readonly<Record<string, string>> = {
  allowWatchBookmarks: 'boolean',
  gracePeriodSeconds: 'integer',
  limit: 'integer',
  sendInitialEvents: 'boolean',
  timeoutSeconds: 'integer',
  watch: 'boolean',
}

const queryParameters = (names: readonly string[]): readonly JsonSchema[] =>
  names.map((name) => ({ name, in: 'query', schema: { type: queryTypes[name] ?? 'string', uniqueItems: true } }))

const pathParameter = (name: string): JsonSchema => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

const answer = (ref: string, codes: readonly string[]): JsonSchema =>
  Object.fromEntries(
    codes.map((code) => [code, { description: 'The answer.', content: { 'application/json': { schema: { $ref: ref } } } }]),
  )

/** As in Kubernetes' documents: `readAppsV1NamespacedDeploymentStatus`. */
const operationId = (action: string, kind: Kind, suffix: string): string => {
  const group = capital((kind.group === '' ? 'core' : kind.group).split('.')[0] ?? '')
  const collection = action === 'deletecollection' ? 'Collection' : ''
  const scope = kind.namespaced && suffix !== 'ForAllNamespaces' ? 'Namespaced' : ''
  return `${operationVerbs[action] ?? action}${group}${capital(kind.version)}${collection}${scope}${kind.kind}${suffix}`
}

const operationVerbs: Readonly<Record<string, string>> = {
  get: 'read',
  post: 'create',
  put: 'replace',
  deletecollection: 'delete',
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)
