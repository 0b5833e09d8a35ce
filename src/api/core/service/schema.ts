import {
  always,
  boolean,
  type Infer,
  int32,
  intOrString,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  string,
} from '../../../schema/index.ts'
import { conditionSchema } from '../../meta/condition.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const servicePortSchema = object('ServicePort', {
  name: optional(
    1,
    string(),
    'Name of the port, needed when there are several. Ingresses, DNS and EndpointSlices refer to the port by it.',
  ),
  protocol: always(2, oneOf('TCP', 'UDP', 'SCTP'), 'TCP, UDP or SCTP; TCP when not said.'),
  port: required(3, int32(), 'Port at which clients reach the Service.'),
  targetPort: optional(
    4,
    intOrString(),
    'Port of the pods, by number or by the name that their containers give it; the same as port when not said.',
  ),
  nodePort: optional(5, int32(), 'Port on every node, for types NodePort and LoadBalancer. One is chosen when not said.'),
  appProtocol: optional(
    6,
    string(),
    'What is spoken on top of the protocol, such as kubernetes.io/h2c or kubernetes.io/ws: a hint for proxies.',
  ),
})
export type ServicePort = Infer<typeof servicePortSchema>

const clientIPConfigSchema = object('ClientIPConfig', {
  timeoutSeconds: optional(
    1,
    int32(),
    'How long a client stays with its endpoint after its last connection: 1 to 86400, three hours when not said.',
  ),
})
export type ClientIPConfig = Infer<typeof clientIPConfigSchema>

const sessionAffinityConfigSchema = object('SessionAffinityConfig', {
  clientIP: optional(1, clientIPConfigSchema, 'Settings of affinity by the address of the client.'),
})
export type SessionAffinityConfig = Infer<typeof sessionAffinityConfigSchema>

const serviceSpecSchema = object('ServiceSpec', {
  ports: optional(
    1,
    list(servicePortSchema, { type: 'map', keys: ['port', 'protocol'], mergeKey: 'port', patch: 'merge' }),
    'Ports of the Service.',
  ),
  selector: optional(2, map(string()), 'Labels of the pods behind the Service. Without it, EndpointSlices are written by hand.'),
  clusterIP: optional(
    3,
    string(),
    'Address inside of the cluster. Empty: one is chosen. None: headless, clients get the addresses of the pods. It can not change later.',
  ),
  type: optional(
    4,
    oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    'ClusterIP: reached inside of the cluster. NodePort: also at a port of every node. LoadBalancer: also through a load balancer. ExternalName: a DNS alias.',
  ),
  externalIPs: optional(
    5,
    list(string(), { type: 'atomic' }),
    'Further addresses for which nodes accept traffic to the Service; somebody else must route them here.',
  ),
  sessionAffinity: optional(
    7,
    oneOf('None', 'ClientIP'),
    'ClientIP keeps a client with the endpoint that it was given first; None does not.',
  ),
  loadBalancerIP: optional(8, string(), 'Deprecated: the address to ask of the load balancer.'),
  loadBalancerSourceRanges: optional(
    9,
    list(string(), { type: 'atomic' }),
    'CIDRs of the clients that the load balancer lets in; all when empty.',
  ),
  externalName: optional(10, string(), 'DNS name that the Service is an alias of, for type ExternalName.'),
  externalTrafficPolicy: optional(
    11,
    oneOf('Cluster', 'Local'),
    'Local: traffic from outside goes to endpoints on the node that it came to, and keeps its source address. Cluster: to any.',
  ),
  healthCheckNodePort: optional(
    12,
    int32(),
    'Port of every node at which load balancers ask whether it has endpoints, with externalTrafficPolicy Local.',
  ),
  publishNotReadyAddresses: optional(
    13,
    boolean(),
    'Endpoints count as ready whether their pods are or not; for peers that must find each other while they start.',
  ),
  sessionAffinityConfig: optional(14, sessionAffinityConfigSchema, 'Settings of sessionAffinity.'),
  ipFamilyPolicy: optional(
    17,
    oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack'),
    'SingleStack, PreferDualStack (two families where the cluster has them) or RequireDualStack.',
  ),
  clusterIPs: optional(
    18,
    list(string(), { type: 'atomic' }),
    'Addresses inside of the cluster, at most one of each family; the first is clusterIP.',
  ),
  ipFamilies: optional(
    19,
    list(string(), { type: 'atomic' }),
    'Families of the addresses, in order: IPv4, IPv6. Chosen when not said; the first can not change.',
  ),
  allocateLoadBalancerNodePorts: optional(
    20,
    boolean(),
    'Whether a LoadBalancer Service gets node ports; set to false where the load balancer reaches pods directly.',
  ),
  loadBalancerClass: optional(
    21,
    string(),
    'Which load balancer implementation is meant, such as example.com/internal; the default one when not said. It can not change later.',
  ),
  internalTrafficPolicy: optional(
    22,
    oneOf('Cluster', 'Local'),
    'Local: traffic from inside goes to endpoints on the same node only. Cluster: to any.',
  ),
  trafficDistribution: optional(
    23,
    oneOf('PreferClose', 'PreferSameZone', 'PreferSameNode'),
    'Which endpoints to prefer: PreferSameZone, PreferSameNode, or PreferClose, the older name of the first.',
  ),
})
export type ServiceSpec = Infer<typeof serviceSpecSchema>

const portStatusSchema = object('PortStatus', {
  port: required(1, int32(), 'Port at the load balancer.'),
  protocol: required(2, oneOf('TCP', 'UDP', 'SCTP'), 'Its protocol.'),
  error: optional(3, string(), 'Why the load balancer does not serve it, in one word.'),
})
export type PortStatus = Infer<typeof portStatusSchema>

const loadBalancerIngressSchema = object('LoadBalancerIngress', {
  ip: optional(1, string(), 'Address of the load balancer.'),
  hostname: optional(2, string(), 'DNS name of the load balancer.'),
  ipMode: optional(
    3,
    oneOf('VIP', 'Proxy'),
    'VIP: packets arrive with this address, so nodes may answer for it. Proxy: the load balancer connects anew.',
  ),
  ports: optional(4, list(portStatusSchema, { type: 'atomic' }), 'State of each port.'),
})
export type LoadBalancerIngress = Infer<typeof loadBalancerIngressSchema>

const loadBalancerStatusSchema = object('LoadBalancerStatus', {
  ingress: optional(1, list(loadBalancerIngressSchema, { type: 'atomic' }), 'Where the load balancer is reached.'),
})
export type LoadBalancerStatus = Infer<typeof loadBalancerStatusSchema>

const serviceStatusSchema = object('ServiceStatus', {
  loadBalancer: optional(1, loadBalancerStatusSchema, 'What the load balancer says.'),
  conditions: optional(
    2,
    list(conditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' }),
    'Observations about the Service.',
  ),
})
export type ServiceStatus = Infer<typeof serviceStatusSchema>

export const serviceSchema = object(
  'Service',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema, 'Name, labels and the rest of what every object has.'),
    spec: always(2, serviceSpecSchema, 'What is wanted.'),
    status: optional(3, serviceStatusSchema, 'What is.'),
  },
  { doc: 'A name and address for a set of pods, however they come and go, and the ports at which they are reached.' },
)
export type Service = Infer<typeof serviceSchema>
