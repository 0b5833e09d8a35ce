import type { FieldNode, ListNode, MapNode, Node, ObjectNode, ScalarNode } from './schema.ts'

/** A JSON schema in the dialect of OpenAPI 3.0, with Kubernetes' `x-kubernetes-*` extensions. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Scalars that have a name of their own in Kubernetes' documents, and in what `kubectl explain` prints. */
export type NamedScalar = 'IntOrString' | 'Quantity'

/** The reference to an object's or a named scalar's schema, such as `#/components/schemas/io.k8s.api.core.v1.Service`. */
export type RefOf = (target: ObjectNode | NamedScalar) => string

/** The schemas of the named scalars. */
export const namedScalarSchemas: Readonly<Record<NamedScalar, JsonSchema>> = {
  IntOrString: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  Quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
}

/** The schema of an object's own fields; the objects in them are references. */
export const objectSchema = (node: ObjectNode, refOf: RefOf): JsonSchema => {
  const fields = Object.entries(node.fields)
  const required = fields.filter(([, field]) => field.required).map(([key]) => key)
  return defined({
    description: node.doc,
    type: 'object',
    required: required.length === 0 ? undefined : required,
    properties:
      fields.length === 0 ? undefined : Object.fromEntries(fields.map(([key, field]) => [key, fieldSchema(field, refOf)])),
    'x-kubernetes-map-type': node.atomic === true ? 'atomic' : undefined,
    'x-kubernetes-preserve-unknown-fields': node.open ? true : undefined,
  })
}

/** The schema of a value. */
export const nodeSchema = (node: Node, refOf: RefOf): JsonSchema => {
  switch (node.kind) {
    case 'object':
      return { $ref: refOf(node) }
    case 'lazy':
      return nodeSchema(node.resolve(), refOf)
    case 'list':
      return { type: 'array', items: nodeSchema(node.items, refOf) }
    case 'map':
      return mapSchema(node, refOf)
    default:
      return scalarSchema(node, refOf)
  }
}

const fieldSchema = (field: FieldNode, refOf: RefOf): JsonSchema => {
  const schema = nodeSchema(field.node, refOf)
  const extensions = { ...listExtensions(field.node), ...objectExtensions(field.node) }
  const description = field.doc === undefined ? {} : { description: field.doc }
  // In OpenAPI 3.0 nothing may stand beside a $ref.
  const isBare = Object.keys({ ...extensions, ...description }).length === 0
  return '$ref' in schema && !isBare
    ? { ...description, allOf: [schema], ...extensions }
    : { ...description, ...schema, ...extensions }
}

const mapSchema = (node: MapNode, refOf: RefOf): JsonSchema => ({
  type: 'object',
  additionalProperties: nodeSchema(node.values, refOf),
})

const objectExtensions = (node: Node): JsonSchema =>
  node.kind === 'object' && node.patch !== undefined ? { 'x-kubernetes-patch-strategy': node.patch } : {}

const listExtensions = (node: Node): JsonSchema => {
  if (node.kind !== 'list') return {}
  const { type, keys, mergeKey } = node.list
  return defined({
    'x-kubernetes-list-type': type,
    'x-kubernetes-list-map-keys': keys,
    'x-kubernetes-patch-merge-key': mergeKey,
    'x-kubernetes-patch-strategy': listStrategy(node),
  })
}

const listStrategy = (node: ListNode): string | undefined => {
  const isRetaining = node.items.kind === 'object' && node.items.patch === 'retainKeys'
  const strategies = [node.list.patch, isRetaining ? 'retainKeys' : undefined].filter((each) => each !== undefined)
  return strategies.length === 0 ? undefined : strategies.join(',')
}

const scalarSchema = (node: ScalarNode, refOf: RefOf): JsonSchema => {
  switch (node.kind) {
    case 'string':
      if (node.format === 'quantity') return { $ref: refOf('Quantity') }
      return defined({
        type: 'string',
        format: node.format === 'micro-time' ? 'date-time' : node.format,
        enum: node.values,
      })
    case 'boolean':
      return { type: 'boolean' }
    case 'integer':
      return { type: 'integer', format: `int${node.bits}` }
    case 'number':
      return { type: 'number', format: 'double' }
    case 'intOrString':
      return { $ref: refOf('IntOrString') }
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true }
    default:
      return node satisfies never
  }
}

const defined = (schema: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined))
