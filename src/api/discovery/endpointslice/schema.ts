import {
  always,
  boolean,
  type Infer,
  int32,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  string,
} from '../../../schema/index.ts'
import { objectReferenceSchema } from '../../core/reference.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const endpointConditionsSchema = object('EndpointConditions', {
  ready: optional(1, boolean()),
  serving: optional(2, boolean()),
  terminating: optional(3, boolean()),
})
export type EndpointConditions = Infer<typeof endpointConditionsSchema>

export const forZoneSchema = object('ForZone', {
  name: required(1, string()),
})
export type ForZone = Infer<typeof forZoneSchema>

export const forNodeSchema = object('ForNode', {
  name: required(1, string()),
})
export type ForNode = Infer<typeof forNodeSchema>

export const endpointHintsSchema = object('EndpointHints', {
  forZones: optional(1, list(forZoneSchema, { type: 'atomic' })),
  forNodes: optional(2, list(forNodeSchema, { type: 'atomic' })),
})
export type EndpointHints = Infer<typeof endpointHintsSchema>

export const endpointSchema = object('Endpoint', {
  addresses: required(1, list(string(), { type: 'set' })),
  conditions: optional(2, endpointConditionsSchema),
  hostname: optional(3, string()),
  targetRef: optional(4, objectReferenceSchema),
  deprecatedTopology: optional(5, map(string())),
  nodeName: optional(6, string()),
  zone: optional(7, string()),
  hints: optional(8, endpointHintsSchema),
})
export type Endpoint = Infer<typeof endpointSchema>

export const endpointPortSchema = object(
  'EndpointPort',
  {
    name: optional(1, string()),
    protocol: optional(2, oneOf('TCP', 'UDP', 'SCTP')),
    port: optional(3, int32()),
    appProtocol: optional(4, string()),
  },
  { atomic: true },
)
export type EndpointPort = Infer<typeof endpointPortSchema>

export const endpointSliceSchema = object('EndpointSlice', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  endpoints: optional(2, list(endpointSchema, { type: 'atomic' })),
  ports: optional(3, list(endpointPortSchema, { type: 'atomic' })),
  addressType: required(4, oneOf('IPv4', 'IPv6', 'FQDN')),
})
export type EndpointSlice = Infer<typeof endpointSliceSchema>
