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

const endpointConditionsSchema = object('EndpointConditions', {
  ready: optional(1, boolean(), 'Takes new connections; true when not said.'),
  serving: optional(2, boolean(), 'Would take them, were it not on its way out; as ready when not said.'),
  terminating: optional(3, boolean(), 'Is on its way out.'),
})
export type EndpointConditions = Infer<typeof endpointConditionsSchema>

const forZoneSchema = object('ForZone', {
  name: required(1, string(), 'Name of the zone.'),
})
export type ForZone = Infer<typeof forZoneSchema>

const forNodeSchema = object('ForNode', {
  name: required(1, string(), 'Name of the node.'),
})
export type ForNode = Infer<typeof forNodeSchema>

const endpointHintsSchema = object('EndpointHints', {
  forZones: optional(1, list(forZoneSchema, { type: 'atomic' }), 'Zones that the endpoint is meant for.'),
  forNodes: optional(2, list(forNodeSchema, { type: 'atomic' }), 'Nodes that the endpoint is meant for.'),
})
export type EndpointHints = Infer<typeof endpointHintsSchema>

const endpointSchema = object('Endpoint', {
  addresses: required(
    1,
    list(string(), { type: 'set' }),
    'Addresses of the endpoint, all of addressType. Consumers use the first.',
  ),
  conditions: optional(2, endpointConditionsSchema, 'Whether it takes connections.'),
  hostname: optional(3, string(), 'Its name in DNS below that of a headless Service.'),
  targetRef: optional(4, objectReferenceSchema, 'The object that it is, mostly a Pod.'),
  deprecatedTopology: optional(5, map(string()), 'Topology labels from before v1.'),
  nodeName: optional(6, string(), 'Node on which it is.'),
  zone: optional(7, string(), 'Zone in which it is.'),
  hints: optional(8, endpointHintsSchema, 'Who should prefer it.'),
})
export type Endpoint = Infer<typeof endpointSchema>

const endpointPortSchema = object(
  'EndpointPort',
  {
    name: optional(1, string(), 'Name of the port; as that of the port of the Service.'),
    protocol: optional(2, oneOf('TCP', 'UDP', 'SCTP'), 'TCP, UDP or SCTP; TCP when not said.'),
    port: optional(3, int32(), 'Number of the port; all ports when not said.'),
    appProtocol: optional(4, string(), 'What is spoken on top of the protocol; as that of the Service.'),
  },
  { atomic: true },
)
export type EndpointPort = Infer<typeof endpointPortSchema>

export const endpointSliceSchema = object(
  'EndpointSlice',
  {
    ...typeMeta,
    metadata: always(
      1,
      objectMetaSchema,
      'Name, labels and the rest of what every object has; the label kubernetes.io/service-name names the Service.',
    ),
    endpoints: optional(2, list(endpointSchema, { type: 'atomic' }), 'Endpoints of the slice, at most 1000.'),
    ports: optional(
      3,
      list(endpointPortSchema, { type: 'atomic' }),
      'Ports that every endpoint of the slice has, at most 20,000.',
    ),
    addressType: required(4, oneOf('IPv4', 'IPv6', 'FQDN'), 'IPv4, IPv6 or FQDN. It can not change later.'),
  },
  { doc: 'Some of the endpoints of a Service, of one address family and one list of ports.' },
)
export type EndpointSlice = Infer<typeof endpointSliceSchema>
