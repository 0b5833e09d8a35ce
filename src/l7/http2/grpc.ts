import type { OutgoingHttpHeaders } from 'node:http2'
import type { Answer } from '../policy/contract.ts'
import { fieldObject } from './response-fields.ts'

const GRPC = /(?:^|\n)content-type:[ \t]*application\/grpc(?:[+;\r]|$)/i

/** Field lines of a gRPC request. */
export const isGrpc = (fields: string): boolean => GRPC.test(fields)

/** gRPC's own table (doc/http-grpc-status-mapping.md), and RESOURCE_EXHAUSTED for what is too large. */
const CODES: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  413: 8,
  429: 14,
  431: 8,
  502: 14,
  503: 14,
  504: 14,
}
const UNKNOWN = 2
export const UNAVAILABLE = 14

/** An answer that is one field section: a gRPC client reads the status of HTTP only from servers that speak no gRPC. */
export const grpcAnswer = (answer: Answer): OutgoingHttpHeaders => {
  const fields = fieldObject()
  fields[':status'] = 200
  fields['content-type'] = 'application/grpc'
  fields['grpc-status'] = CODES[answer.status] ?? UNKNOWN
  fields['grpc-message'] = `${answer.status} ${answer.reason}`
  fields['x-fairway-reason'] = answer.reason
  return fields
}
