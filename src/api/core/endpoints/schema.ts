import { always, type Infer, int32, list, object, oneOf, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'
import { objectReferenceSchema } from '../reference.ts'

const endpointAddressSchema = object(
  'EndpointAddress',
  {
    ip: required(1, string()),
    targetRef: optional(2, objectReferenceSchema),
    hostname: optional(3, string()),
    nodeName: optional(4, string()),
  },
  { atomic: true },
)
export type EndpointAddress = Infer<typeof endpointAddressSchema>

const endpointPortSchema = object(
  'EndpointPort',
  {
    name: optional(1, string()),
    port: required(2, int32()),
    protocol: optional(3, oneOf('TCP', 'UDP', 'SCTP')),
    appProtocol: optional(4, string()),
  },
  { atomic: true },
)
export type EndpointPort = Infer<typeof endpointPortSchema>

const endpointSubsetSchema = object('EndpointSubset', {
  addresses: optional(1, list(endpointAddressSchema, { type: 'atomic' })),
  notReadyAddresses: optional(2, list(endpointAddressSchema, { type: 'atomic' })),
  ports: optional(3, list(endpointPortSchema, { type: 'atomic' })),
})
export type EndpointSubset = Infer<typeof endpointSubsetSchema>

export const endpointsSchema = object(
  'Endpoints',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    subsets: optional(2, list(endpointSubsetSchema, { type: 'atomic' })),
  },
  { doc: 'The endpoints of a Service in one object; deprecated in favour of EndpointSlice.' },
)
export type Endpoints = Infer<typeof endpointsSchema>
