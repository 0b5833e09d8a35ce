import { parse as parseYaml } from 'yaml'
import { badRequest } from '../../api/index.ts'
import type { ApiRequest } from '../../client/index.ts'
import { duplicateFields } from '../../schema/index.ts'
import { unsupportedMediaType } from '../rest/index.ts'
import type { ProtobufReader } from './protobuf.ts'

/** A request's body as a value. */
export interface DecodedBody {
  readonly value: unknown
  /** Paths of fields that occur twice, as JSON.parse hides them. */
  readonly duplicates: readonly string[]
  readonly patchType?: NonNullable<ApiRequest['patchType']>
}

interface RawBody {
  readonly contentType: string | undefined
  readonly body: Buffer
  readonly isPatch: boolean
  readonly readProtobuf: ProtobufReader
}

const PATCH_TYPES: ReadonlyMap<string, NonNullable<ApiRequest['patchType']>> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
])

/** Decodes by the content type. Throws 415 for one that is not served, `BadRequest` for a body that is not what it says. */
export const decodeRequestBody = ({ contentType, body, isPatch, readProtobuf }: RawBody): DecodedBody => {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (isPatch) return decodePatch(type, body)
  switch (type) {
    case '':
    case 'application/json':
      return decodeJson(body)
    case 'application/yaml':
    case 'text/yaml':
      return { value: decodeYaml(body), duplicates: [] }
    case 'application/vnd.kubernetes.protobuf':
      return { value: body.length === 0 ? undefined : readProtobuf(body), duplicates: [] }
    default:
      throw unsupportedMediaType(
        'the body of the request was in an unknown format - accepted media types include: ' +
          'application/json, application/yaml, application/vnd.kubernetes.protobuf',
      )
  }
}

const decodePatch = (type: string, body: Buffer): DecodedBody => {
  const patchType = PATCH_TYPES.get(type)
  if (patchType === undefined) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${[...PATCH_TYPES.keys()].join(', ')}`,
    )
  }
  if (patchType === 'apply') return { value: decodeYaml(body), duplicates: [], patchType }
  const decoded = decodeJson(body)
  if (decoded.value === undefined) throw badRequest('the patch is empty')
  return { ...decoded, patchType }
}

const decodeJson = (body: Buffer): DecodedBody => {
  if (body.length === 0) return { value: undefined, duplicates: [] }
  const text = body.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    return { value, duplicates: duplicateFields(text) }
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${error instanceof Error ? error.message.slice(0, 200) : 'no JSON'}`)
  }
}

const decodeYaml = (body: Buffer): unknown => {
  try {
    // As kubectl reads manifests; aliases are limited, so that a small text cannot become a large one.
    return parseYaml(body.toString('utf8'), { version: '1.1', maxAliasCount: 100, prettyErrors: false })
  } catch (error) {
    throw badRequest(`error parsing YAML: ${error instanceof Error ? error.message.slice(0, 200) : 'no YAML'}`)
  }
}
