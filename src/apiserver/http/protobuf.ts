import { badRequest } from '../../api/index.ts'

/** The object of an `application/vnd.kubernetes.protobuf` body. */
export const decodeProtobuf = (_body: Buffer): unknown => {
  throw badRequest('protobuf is not read yet')
}
