import { apiVersionOf, badRequest, type KubeObject } from '../../api/index.ts'
import { checkStructure, type Schema } from '../../schema/index.ts'
import type { WriteOptions } from './options.ts'
import type { Resource } from './resources.ts'

/** What a body must be. */
interface Expected {
  readonly apiVersion: string
  readonly kind: string
  readonly schema: Schema<unknown>
}

interface Decoded<T> {
  readonly object: T
  readonly warnings: readonly string[]
}

/**
 * The object of a request's body in the stored version, defaulted. Throws `BadRequest` that names every wrong type and, when
 * asked to be strict, every unknown field at once.
 */
export const decodeObject = (resource: Resource, body: unknown, options: WriteOptions): Decoded<KubeObject> => {
  const { kind } = resource
  const decoded = decodeBody<KubeObject>({ apiVersion: apiVersionOf(kind), kind: kind.kind, schema: kind.schema }, body, options)
  const defaulted = kind.setDefaults(decoded.object)
  const hub = resource.toHub(defaulted)
  return {
    object: hub === defaulted ? hub : resource.hub.setDefaults(hub),
    warnings: [...decoded.warnings, ...(kind.warnings?.(defaulted) ?? [])],
  }
}

/** The value of a body with a schema of its own, such as Scale. */
export const decodeBody = <T>(expected: Expected, body: unknown, options: WriteOptions): Decoded<T> => {
  const typed = withTypeMeta(expected, body)
  const unknownFields = options.fieldValidation === 'Ignore' ? 'ignore' : 'report'
  const result = checkStructure(expected.schema, typed, { unknownFields })
  const cannot = `${expected.kind} in version "${versionOf(expected.apiVersion)}" cannot be handled as a ${expected.kind}: `
  if (result.errors.length > 0) throw badRequest(`${cannot}${result.errors.map((error) => error.message).join(', ')}`)
  const unknown = [
    ...result.unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...(options.fieldValidation === 'Ignore' ? [] : (options.duplicateFields ?? [])).map(
      (path) => `duplicate field ${JSON.stringify(path)}`,
    ),
  ]
  if (unknown.length > 0 && options.fieldValidation === 'Strict') {
    throw badRequest(`${cannot}strict decoding error: ${unknown.join(', ')}`)
  }
  // checkStructure built the value by the schema of T.
  return { object: result.pruned as T, warnings: unknown }
}

const withTypeMeta = (expected: Expected, body: unknown): Readonly<Record<string, unknown>> => {
  if (!isRecord(body)) throw badRequest(`the request body must be a JSON object: expected a ${expected.kind}`)
  const apiVersion = body['apiVersion'] || expected.apiVersion
  const kind = body['kind'] || expected.kind
  if (kind !== expected.kind) {
    throw badRequest(
      `${String(kind)} in version ${JSON.stringify(versionOf(String(apiVersion)))} cannot be handled as a ${expected.kind}: ` +
        `the kind in the data (${String(kind)}) does not match the expected kind (${expected.kind})`,
    )
  }
  if (apiVersion !== expected.apiVersion) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected.apiVersion})`,
    )
  }
  return { ...body, apiVersion, kind }
}

const versionOf = (apiVersion: string): string => apiVersion.slice(apiVersion.lastIndexOf('/') + 1)

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
