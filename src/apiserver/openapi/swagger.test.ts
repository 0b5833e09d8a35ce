import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { scheme } from '../../api/index.ts'
import { createOpenApi } from './documents.ts'

/** Kubernetes' own OpenAPI v2 document: reference data that is not part of the project; it lies beside the checkout where there is one. */
const beside = fileURLToPath(new URL('../../../../shared/kubernetes/swagger-1.35.json', import.meta.url))
const swaggerFile = process.env['FAIRWAY_SWAGGER'] ?? beside
const hasSwagger = existsSync(swaggerFile)

interface Property {
  readonly $ref?: string
  readonly allOf?: readonly Property[]
  readonly type?: string
  readonly format?: string
  readonly items?: Property
  readonly additionalProperties?: Property
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Property>>
  readonly [extension: `x-kubernetes-${string}`]: unknown
}
type Definitions = Readonly<Record<string, Property>>

const openApi = createOpenApi(scheme, 'v1.35.0')
const ours: Definitions = Object.assign(
  {},
  ...scheme.map((kind) => {
    const path = kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`
    return JSON.parse(openApi.document(`/openapi/v3/${path}`)!.body.toString()).components.schemas
  }),
)

/** Schemas that Kubernetes 1.35 no longer has, or that are ours alone. */
const isServedByKubernetes = (name: string): boolean =>
  !/\.(?:networking|extensions)\.v1beta1\.|\.cloud\.v1alpha1\.|v1\.Patch$/.test(name)

/** Fields that differ, and may. */
const deviations = new Set([
  // Required in the document and optional in Go's types and on the wire.
  'Event.metadata',
  'IPAddress.spec',
  // Alpha in 1.35: an unknown field here.
  'ListMeta.shardInfo',
  // Kept without looking into it.
  'PodStatus.nodeAllocatableResourceClaimStatuses',
  // The same stored Event in the shapes of two groups.
  'Event.eventTime',
  'Event.series',
])

/** Named types that we write as what they are on the wire. */
const asOnTheWire: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string/date-time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string/date-time',
}

/** Fields that we keep without looking into them have no type of ours. */
const isOpen = (property: Property): boolean => property['x-kubernetes-preserve-unknown-fields'] === true

const typeText = (property: Property): string => {
  const ref = property.$ref ?? property.allOf?.[0]?.$ref
  if (ref !== undefined) {
    const name = ref.split('/').at(-1)!
    return asOnTheWire[name] ?? name
  }
  if (property.items !== undefined) return `[${typeText(property.items)}]`
  if (property.additionalProperties !== undefined) return `{${typeText(property.additionalProperties)}}`
  return property.format === undefined ? String(property.type) : `${property.type}/${property.format}`
}

const extensions = [
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-patch-merge-key',
  'x-kubernetes-patch-strategy',
] as const

const factsOf = (property: Property) => ({
  type: typeText(property),
  ...Object.fromEntries(extensions.map((name) => [name, property[name]])),
})

describe.skipIf(!hasSwagger)(`against Kubernetes' document (skipped where ${swaggerFile} is absent)`, () => {
  const theirs: Definitions = hasSwagger ? JSON.parse(readFileSync(swaggerFile, 'utf8')).definitions : {}
  const names = Object.keys(ours).filter(isServedByKubernetes)

  it('compares more than a few schemas', () => expect(names.length).toBeGreaterThan(150))

  describe.each(names)('%s', (name) => {
    const our = ours[name]!
    const their = theirs[name] ?? {}
    const isCompared = (field: string): boolean => !deviations.has(`${name.split('.').at(-1)}.${field}`)
    const fieldsOf = (from: Property): readonly string[] =>
      Object.keys(from.properties ?? {})
        .filter(isCompared)
        .sort()

    it('exists there', () => expect(theirs).toHaveProperty([name]))

    it('has the same fields', () => {
      expect(fieldsOf(our)).toEqual(fieldsOf(their))
    })

    it('requires the same fields', () => {
      const requiredOf = (from: Property) => (from.required ?? []).filter(isCompared).sort()
      expect(requiredOf(our)).toEqual(requiredOf(their))
    })

    it('has the same types, list keys and merge keys', () => {
      const common = fieldsOf(our).filter((field) => their.properties?.[field] !== undefined && !isOpen(our.properties![field]!))
      const facts = (from: Property) => Object.fromEntries(common.map((field) => [field, factsOf(from.properties![field]!)]))
      expect(facts(our)).toEqual(facts(their))
    })

    it('is atomic if it is there', () => {
      expect(our['x-kubernetes-map-type']).toBe(their['x-kubernetes-map-type'])
    })
  })
})
