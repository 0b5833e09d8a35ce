import type { JsonSchema } from '../../schema/index.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** The parts of an OpenAPI v3 document that its v2 form is made of. */
export interface V3Document {
  readonly paths: Readonly<Record<string, JsonSchema>>
  readonly schemas: Readonly<Record<string, JsonSchema>>
}

/**
 * The OpenAPI v2 document in gnostic's protobuf form (`openapi.v2.Document`), the only one that kubectl reads. kubectl up to 1.28 needs
 * the definitions, and the query parameters of the patch operations; later ones take merge keys from it. Nothing else is written.
 * Field numbers: OpenAPIv2.proto of github.com/google/gnostic-models.
 */
export const gnosticDocument = ({ paths, schemas }: V3Document, version: string): Buffer =>
  new ProtobufWriter()
    .text(1, '2.0')
    .message(2, new ProtobufWriter().text(1, 'Kubernetes').text(2, version))
    .message(8, pathsMessage(paths))
    .message(9, namedSchemas(schemas))
    .finish()

const isObject = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const named = (name: string, value: ProtobufWriter): ProtobufWriter => new ProtobufWriter().text(1, name).message(2, value)

const namedSchemas = (schemas: Readonly<Record<string, unknown>>): ProtobufWriter =>
  new ProtobufWriter().messages(
    1,
    Object.entries(schemas).map(([name, schema]) => named(name, schemaMessage(schema))),
  )

/** `x-*` keys: values are YAML, of which JSON is a part. */
const vendorExtensions = (schema: JsonSchema): readonly ProtobufWriter[] =>
  Object.entries(schema)
    .filter(([key]) => key.startsWith('x-'))
    .map(([key, value]) => named(key, new ProtobufWriter().text(2, JSON.stringify(value))))

const schemaMessage = (value: unknown): ProtobufWriter => {
  const schema = isObject(value) ? value : {}
  const [inner] = Array.isArray(schema['allOf']) ? schema['allOf'] : []
  const ref = textOf(schema['$ref']) ?? (isObject(inner) ? textOf(inner['$ref']) : undefined)
  // v2 knows no alternatives: what is a text or a number is called a text.
  const type = Array.isArray(schema['oneOf']) ? 'string' : textOf(schema['type'])
  const { additionalProperties, items, properties, required } = schema
  return new ProtobufWriter()
    .text(1, ref?.replace('#/components/schemas/', '#/definitions/'))
    .text(2, textOf(schema['format']))
    .text(4, textOf(schema['description']))
    .texts(19, Array.isArray(required) ? required.map(String) : [])
    .message(
      21,
      additionalProperties === undefined ? undefined : new ProtobufWriter().message(1, schemaMessage(additionalProperties)),
    )
    .message(22, type === undefined ? undefined : new ProtobufWriter().text(1, type))
    .message(23, items === undefined ? undefined : new ProtobufWriter().message(1, schemaMessage(items)))
    .message(25, isObject(properties) ? namedSchemas(properties) : undefined)
    .messages(31, vendorExtensions(schema))
}

const pathsMessage = (paths: V3Document['paths']): ProtobufWriter =>
  new ProtobufWriter().messages(
    2,
    Object.entries(paths).map(([path, item]) => named(path, pathItem(item))),
  )

const methodFields = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const

const pathItem = (item: JsonSchema): ProtobufWriter => {
  const message = new ProtobufWriter()
  for (const [method, field] of Object.entries(methodFields)) {
    const operation = item[method]
    if (isObject(operation)) message.message(field, operationMessage(operation))
  }
  return message
}

const operationMessage = (operation: JsonSchema): ProtobufWriter => {
  const parameters = Array.isArray(operation['parameters']) ? operation['parameters'] : []
  return new ProtobufWriter()
    .text(5, textOf(operation['operationId']))
    .messages(8, parameters.filter(isObject).map(queryParameter))
    .messages(13, vendorExtensions(operation))
}

/** ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema. */
const queryParameter = (parameter: JsonSchema): ProtobufWriter => {
  const { schema } = parameter
  const query = new ProtobufWriter()
    .text(2, 'query')
    .text(4, textOf(parameter['name']))
    .text(6, isObject(schema) ? textOf(schema['type']) : undefined)
  return [3, 2, 1].reduce((inner, field) => new ProtobufWriter().message(field, inner), query)
}
