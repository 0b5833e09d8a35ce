import { describe, expect, it } from 'vitest'
import { scheme } from '../../api/index.ts'
import { lazy, list, object, optional, type Schema, string } from '../../schema/index.ts'
import { decodeMessage } from '../../schema/protobuf-message.ts'
import { createOpenApi } from './documents.ts'

// The parts of OpenAPIv2.proto (gnostic-models) that kubectl reads, in our own schema language.
interface NamedSchema {
  readonly name?: string
  readonly value?: V2Schema
}
interface V2Schema {
  readonly ref?: string
  readonly format?: string
  readonly description?: string
  readonly required?: readonly string[]
  readonly additional?: { readonly schema?: V2Schema }
  readonly type?: { readonly value?: readonly string[] }
  readonly items?: { readonly schema?: readonly V2Schema[] }
  readonly properties?: { readonly named?: readonly NamedSchema[] }
  readonly extensions?: readonly { readonly name?: string; readonly value?: { readonly yaml?: string } }[]
}
const extension = object('NamedAny', {
  name: optional(1, string()),
  value: optional(2, object('Any', { yaml: optional(2, string()) })),
})
const schemaSchema: Schema<V2Schema> = object('Schema', {
  ref: optional(1, string()),
  format: optional(2, string()),
  description: optional(4, string()),
  required: optional(19, list(string())),
  additional: optional(
    21,
    object('Additional', {
      schema: optional(
        1,
        lazy<V2Schema>('Schema', () => schemaSchema),
      ),
    }),
  ),
  type: optional(22, object('Type', { value: optional(1, list(string())) })),
  items: optional(23, object('Items', { schema: optional(1, list(lazy<V2Schema>('Schema', () => schemaSchema))) })),
  properties: optional(
    25,
    object('Properties', { named: optional(1, list(lazy<NamedSchema>('NamedSchema', () => namedSchema))) }),
  ),
  extensions: optional(31, list(extension)),
})
const namedSchema: Schema<NamedSchema> = object('NamedSchema', { name: optional(1, string()), value: optional(2, schemaSchema) })
const parameter = object('QueryParameter', { in: optional(2, string()), name: optional(4, string()) })
const nested = object('ParametersItem', {
  parameter: optional(1, object('Parameter', { plain: optional(2, object('NonBody', { query: optional(3, parameter) })) })),
})
const operation = object('Operation', { parameters: optional(8, list(nested)), extensions: optional(13, list(extension)) })
const pathItem = object('PathItem', { post: optional(4, operation), patch: optional(8, operation) })
const documentSchema = object('Document', {
  swagger: optional(1, string()),
  paths: optional(
    8,
    object('Paths', {
      named: optional(2, list(object('NamedPath', { name: optional(1, string()), value: optional(2, pathItem) }))),
    }),
  ),
  definitions: optional(9, object('Definitions', { named: optional(1, list(namedSchema)) })),
})
type Document = NonNullable<(typeof documentSchema)['typeOf']>

const served = createOpenApi(scheme, 'v1.35.0').document('/openapi/v2')!
// decodeMessage gives what the schema describes.
const document = decodeMessage(documentSchema.node, served.body) as Document
const definition = (name: string) => document.definitions?.named?.find((each) => each.name === name)?.value
const property = (name: string, field: string) => definition(name)?.properties?.named?.find((each) => each.name === field)?.value
const extensionsOf = (from: { extensions?: V2Schema['extensions'] } | undefined) =>
  Object.fromEntries((from?.extensions ?? []).map((each) => [each.name, JSON.parse(each.value?.yaml ?? 'null')]))

describe('the OpenAPI v2 document that kubectl up to 1.28 needs', () => {
  it('is protobuf', () => {
    expect(served.contentType).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
    expect(document.swagger).toBe('2.0')
  })

  it('has a definition for every kind, with its group, version and kind', () => {
    expect(extensionsOf(definition('io.k8s.api.core.v1.Service'))).toEqual({
      'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Service' }],
    })
  })

  it('refers to definitions', () => {
    expect(property('io.k8s.api.core.v1.Service', 'spec')?.ref).toBe('#/definitions/io.k8s.api.core.v1.ServiceSpec')
    const refs = [...served.body.toString('latin1').matchAll(/#\/definitions\/([\w.]+)/g)].map((match) => match[1]!)
    expect(refs.length).toBeGreaterThan(100)
    expect(refs.filter((ref) => definition(ref) === undefined)).toEqual([])
  })

  it('says the type, items and keys of lists', () => {
    const ports = property('io.k8s.api.core.v1.ServiceSpec', 'ports')
    expect(ports?.type?.value).toEqual(['array'])
    expect(ports?.items?.schema?.[0]?.ref).toBe('#/definitions/io.k8s.api.core.v1.ServicePort')
    expect(extensionsOf(ports)).toEqual({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      'x-kubernetes-patch-merge-key': 'port',
      'x-kubernetes-patch-strategy': 'merge',
    })
    expect(extensionsOf(property('io.k8s.api.core.v1.PodSpec', 'volumes'))['x-kubernetes-patch-strategy']).toBe(
      'merge,retainKeys',
    )
  })

  it('calls a number or text a text', () => {
    expect(definition('io.k8s.apimachinery.pkg.util.intstr.IntOrString')).toMatchObject({
      type: { value: ['string'] },
      format: 'int-or-string',
    })
  })

  it('says that a patch takes fieldValidation and dryRun, for each kind', () => {
    const paths = document.paths?.named ?? []
    const patch = paths.find((each) => each.name === '/api/v1/namespaces/{namespace}/services/{name}')?.value?.patch
    expect(extensionsOf(patch)['x-kubernetes-group-version-kind']).toEqual({ group: '', version: 'v1', kind: 'Service' })
    const names = (patch?.parameters ?? []).map((each) => each.parameter?.plain?.query?.name)
    expect(names).toEqual(expect.arrayContaining(['dryRun', 'fieldValidation', 'fieldManager']))
  })
})

it('is built for all kinds without a name that is taken twice', () => {
  const all = decodeMessage(documentSchema.node, createOpenApi(scheme, 'v1.35.0').document('/openapi/v2')!.body) as Document
  const names = (all.definitions?.named ?? []).map((each) => each.name)
  expect(new Set(names).size).toBe(names.length)
})
