import { always, type Infer, object, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const parentReferenceSchema = object('ParentReference', {
  group: optional(1, string()),
  resource: required(2, string()),
  namespace: optional(3, string()),
  name: required(4, string()),
})
export type ParentReference = Infer<typeof parentReferenceSchema>

export const ipAddressSpecSchema = object('IPAddressSpec', {
  parentRef: required(1, parentReferenceSchema),
})
export type IPAddressSpec = Infer<typeof ipAddressSpecSchema>

export const ipAddressSchema = object('IPAddress', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, ipAddressSpecSchema),
})
export type IPAddress = Infer<typeof ipAddressSchema>
