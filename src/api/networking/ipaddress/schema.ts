import { always, type Infer, object, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const parentReferenceSchema = object('ParentReference', {
  group: optional(1, string(), 'Group of the object that has the address.'),
  resource: required(2, string(), 'Its resource, such as services.'),
  namespace: optional(3, string(), 'Its namespace.'),
  name: required(4, string(), 'Its name.'),
})
export type ParentReference = Infer<typeof parentReferenceSchema>

const ipAddressSpecSchema = object('IPAddressSpec', {
  parentRef: required(1, parentReferenceSchema, 'The object that has the address. It can not change.'),
})
export type IPAddressSpec = Infer<typeof ipAddressSpecSchema>

export const ipAddressSchema = object(
  'IPAddress',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, ipAddressSpecSchema),
  },
  { doc: 'An address that is taken; its name is the address.' },
)
export type IPAddress = Infer<typeof ipAddressSchema>
