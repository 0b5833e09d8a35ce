import { decodeMessage } from './protobuf-message.ts'
import { ProtobufError, WireReader } from './protobuf-wire.ts'
import type { Schema } from './schema.ts'
import { checkStructure } from './structure.ts'

export { ProtobufError } from './protobuf-wire.ts'

/** What `application/vnd.kubernetes.protobuf` wraps every object in (`runtime.Unknown`). */
export interface ProtobufEnvelope {
  readonly apiVersion: string
  readonly kind: string
  /** The object, to be decoded with the schema of its kind. */
  readonly raw: Uint8Array
}

const magic = [0x6b, 0x38, 0x73, 0x00]

/** Whether a body begins like a protobuf one (`k8s` and a zero byte). */
export const isProtobuf = (body: Uint8Array): boolean => magic.every((byte, index) => body[index] === byte)

/** Opens the envelope of a body; throws a ProtobufError if it is none. */
export const readEnvelope = (body: Uint8Array): ProtobufEnvelope => {
  if (!isProtobuf(body)) throw new ProtobufError('the body does not begin with "k8s" and a zero byte')
  const reader = new WireReader(body.subarray(magic.length))
  const envelope: { apiVersion: string; kind: string; raw: Uint8Array } = { apiVersion: '', kind: '', raw: new Uint8Array() }
  while (reader.next()) {
    if (reader.field === 1) readTypeMeta(new WireReader(reader.bytes()), envelope)
    else if (reader.field === 2) envelope.raw = reader.bytes()
    else if (reader.field === 3 && reader.text() !== '') throw new ProtobufError('the content is encoded')
    else if (reader.field === 4 && !['', 'application/vnd.kubernetes.protobuf'].includes(reader.text())) {
      throw new ProtobufError('the content is not protobuf')
    } else if (reader.field > 4) reader.skip()
  }
  return envelope
}

const readTypeMeta = (reader: WireReader, typeMeta: { apiVersion: string; kind: string }): void => {
  while (reader.next()) {
    if (reader.field === 1) typeMeta.apiVersion = reader.text()
    else if (reader.field === 2) typeMeta.kind = reader.text()
    else reader.skip()
  }
}

/**
 * The object in an envelope, as the same JSON body would be read: with `apiVersion` and `kind`, zero values dropped as `omitempty` does,
 * required ones filled in. Fields that the schema has no number for are skipped. Throws a ProtobufError for bytes that are no such
 * message; time and memory are bounded by the number of bytes.
 */
export const decodeProtobuf = <T>(schema: Schema<T>, { apiVersion, kind, raw }: ProtobufEnvelope): T => {
  const message = decodeMessage(schema.node, raw)
  const { errors, pruned } = checkStructure(schema, { apiVersion, kind, ...message }, { unknownFields: 'ignore' })
  const [first] = errors
  if (first !== undefined) throw new ProtobufError(`${first.path}: ${first.message}`)
  return pruned
}
