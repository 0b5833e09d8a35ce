import { apiVersionOf, badRequest, deleteOptionsSchema, scaleSchema } from '../../api/index.ts'
import { decodeProtobuf, ProtobufError, readEnvelope, type Schema } from '../../schema/index.ts'
import { type Resources, reviews } from '../rest/index.ts'

/** The object of an `application/vnd.kubernetes.protobuf` body. Throws `BadRequest` for what cannot be read. */
export type ProtobufReader = (body: Buffer) => unknown

/** Reads what is served, and the options and subresources that come with it. */
export const createProtobufReader = (resources: Resources): ProtobufReader => {
  const schemas = new Map<string, Schema<unknown>>()
  for (const { kind } of resources.all) schemas.set(typeName(apiVersionOf(kind), kind.kind), kind.schema)
  for (const { group, version, kind, schema } of reviews) schemas.set(typeName(`${group}/${version}`, kind), schema)
  schemas.set(typeName('autoscaling/v1', 'Scale'), scaleSchema)
  return (body) => {
    try {
      const envelope = readEnvelope(body)
      const { apiVersion, kind } = envelope
      // Options are of every group (metav1).
      const schema = kind === 'DeleteOptions' ? deleteOptionsSchema : schemas.get(typeName(apiVersion, kind))
      if (schema === undefined)
        throw badRequest(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
      return decodeProtobuf(schema, envelope)
    } catch (error) {
      if (error instanceof ProtobufError) throw badRequest(`the object provided is unrecognized: ${error.message}`)
      throw error
    }
  }
}

const typeName = (apiVersion: string, kind: string): string => `${apiVersion} ${kind}`
