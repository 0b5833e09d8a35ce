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

export const servicePortSchema = object('ServicePort', {
  name: optional(1, string()),
  protocol: always(2, oneOf('TCP', 'UDP', 'SCTP')),
  port: required(3, int32()),
  targetPort: optional(4, intOrString()),
  nodePort: optional(5, int32()),
  appProtocol: optional(6, string()),
})
export type ServicePort = Infer<typeof servicePortSchema>

export const clientIPConfigSchema = object('ClientIPConfig', {
  timeoutSeconds: optional(1, int32()),
})
export type ClientIPConfig = Infer<typeof clientIPConfigSchema>

export const sessionAffinityConfigSchema = object('SessionAffinityConfig', {
  clientIP: optional(1, clientIPConfigSchema),
})
export type SessionAffinityConfig = Infer<typeof sessionAffinityConfigSchema>

export const serviceSpecSchema = object('ServiceSpec', {
  ports: optional(1, list(servicePortSchema, { type: 'map', keys: ['port', 'protocol'], mergeKey: 'port', patch: 'merge' })),
  selector: optional(2, map(string())),
  clusterIP: optional(3, string()),
  type: optional(4, oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')),
  externalIPs: optional(5, list(string(), { type: 'atomic' })),
  sessionAffinity: optional(7, oneOf('None', 'ClientIP')),
  loadBalancerIP: optional(8, string()),
  loadBalancerSourceRanges: optional(9, list(string(), { type: 'atomic' })),
  externalName: optional(10, string()),
  externalTrafficPolicy: optional(11, oneOf('Cluster', 'Local')),
  healthCheckNodePort: optional(12, int32()),
  publishNotReadyAddresses: optional(13, boolean()),
  sessionAffinityConfig: optional(14, sessionAffinityConfigSchema),
  ipFamilyPolicy: optional(17, oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack')),
  clusterIPs: optional(18, list(string(), { type: 'atomic' })),
  ipFamilies: optional(19, list(string(), { type: 'atomic' })),
  allocateLoadBalancerNodePorts: optional(20, boolean()),
  loadBalancerClass: optional(21, string()),
  internalTrafficPolicy: optional(22, oneOf('Cluster', 'Local')),
  trafficDistribution: optional(23, oneOf('PreferClose', 'PreferSameZone', 'PreferSameNode')),
})
export type ServiceSpec = Infer<typeof serviceSpecSchema>

export const portStatusSchema = object('PortStatus', {
  port: required(1, int32()),
  protocol: required(2, oneOf('TCP', 'UDP', 'SCTP')),
  error: optional(3, string()),
})
export type PortStatus = Infer<typeof portStatusSchema>

export const loadBalancerIngressSchema = object('LoadBalancerIngress', {
  ip: optional(1, string()),
  hostname: optional(2, string()),
  ipMode: optional(3, oneOf('VIP', 'Proxy')),
  ports: optional(4, list(portStatusSchema, { type: 'atomic' })),
})
export type LoadBalancerIngress = Infer<typeof loadBalancerIngressSchema>

export const loadBalancerStatusSchema = object('LoadBalancerStatus', {
  ingress: optional(1, list(loadBalancerIngressSchema, { type: 'atomic' })),
})
export type LoadBalancerStatus = Infer<typeof loadBalancerStatusSchema>

export const serviceStatusSchema = object('ServiceStatus', {
  loadBalancer: optional(1, loadBalancerStatusSchema),
  conditions: optional(2, list(conditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
})
export type ServiceStatus = Infer<typeof serviceStatusSchema>

export const serviceSchema = object('Service', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, serviceSpecSchema),
  status: optional(3, serviceStatusSchema),
})
export type Service = Infer<typeof serviceSchema>
