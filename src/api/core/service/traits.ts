import type { ServiceSpec } from './schema.ts'

/** What `clusterIP` says when the Service has none by choice. */
export const CLUSTER_IP_NONE = 'None'

export const isHeadless = (spec: ServiceSpec): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === CLUSTER_IP_NONE && spec.type !== 'ExternalName'

/** Whether traffic from outside of the cluster can be meant for it, so that `externalTrafficPolicy` has a meaning. */
export const isExternallyAccessible = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0)

/** Whether load balancers ask its nodes for local endpoints. */
export const needsHealthCheckNodePort = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
