import { always, type Infer, int64, list, object, optional, string, time } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const boundObjectReferenceSchema = object('BoundObjectReference', {
  kind: optional(1, string()),
  apiVersion: optional(2, string()),
  name: optional(3, string()),
  uid: optional(4, string()),
})
export type BoundObjectReference = Infer<typeof boundObjectReferenceSchema>

const tokenRequestSpecSchema = object('TokenRequestSpec', {
  audiences: optional(1, list(string(), { type: 'atomic' })),
  boundObjectRef: optional(3, boundObjectReferenceSchema),
  expirationSeconds: optional(4, int64()),
})
export type TokenRequestSpec = Infer<typeof tokenRequestSpecSchema>

const tokenRequestStatusSchema = object('TokenRequestStatus', {
  token: optional(1, string()),
  expirationTimestamp: optional(2, time()),
})
export type TokenRequestStatus = Infer<typeof tokenRequestStatusSchema>

export const tokenRequestSchema = object('TokenRequest', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, tokenRequestSpecSchema),
  status: optional(3, tokenRequestStatusSchema),
})
export type TokenRequest = Infer<typeof tokenRequestSchema>
