import type { Service, ServicePort, ServiceSpec, ServiceStatus } from './schema.ts'
import { isExternallyAccessible } from './traits.ts'

export const DEFAULT_CLIENT_IP_TIMEOUT_SECONDS = 10800

/** Everything that a Service gets without knowledge of the cluster; addresses, families and ports are allocated by the API server. */
export const setServiceDefaults = (service: Service): Service => {
  const { sessionAffinityConfig, ...given } = service.spec ?? {}
  const type = given.type ?? 'ClusterIP'
  const spec: ServiceSpec = { ...given, type }
  return {
    ...service,
    metadata: service.metadata ?? {},
    spec: {
      ...spec,
      ...affinityDefaults(spec.sessionAffinity || 'None', sessionAffinityConfig),
      ...clusterIPsDefault(spec),
      ...trafficDefaults(spec),
      ...(spec.ports === undefined ? {} : { ports: spec.ports.map(portDefaults) }),
    },
    ...(type === 'LoadBalancer' && service.status !== undefined ? { status: statusDefaults(service.status) } : {}),
  }
}

const portDefaults = (port: ServicePort): ServicePort => ({
  ...port,
  protocol: port.protocol || 'TCP',
  targetPort: port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '' ? port.port : port.targetPort,
})

/** A config without ClientIP is dropped: a patch of `sessionAffinity` alone would leave it behind. */
const affinityDefaults = (
  sessionAffinity: NonNullable<ServiceSpec['sessionAffinity']>,
  config: ServiceSpec['sessionAffinityConfig'],
): Partial<ServiceSpec> => {
  if (sessionAffinity === 'None') return { sessionAffinity }
  if (sessionAffinity !== 'ClientIP') return { sessionAffinity, ...(config && { sessionAffinityConfig: config }) }
  const timeoutSeconds = config?.clientIP?.timeoutSeconds ?? DEFAULT_CLIENT_IP_TIMEOUT_SECONDS
  return { sessionAffinity, sessionAffinityConfig: { clientIP: { timeoutSeconds } } }
}

/** Clients from before dual-stack know the singular field only. */
const clusterIPsDefault = (spec: ServiceSpec): Partial<ServiceSpec> =>
  spec.clusterIP !== undefined && spec.clusterIP !== '' && (spec.clusterIPs ?? []).length === 0
    ? { clusterIPs: [spec.clusterIP] }
    : {}

const trafficDefaults = (spec: ServiceSpec): Partial<ServiceSpec> => ({
  ...(spec.type !== 'ExternalName' ? { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' } : {}),
  ...(isExternallyAccessible(spec) ? { externalTrafficPolicy: spec.externalTrafficPolicy || 'Cluster' } : {}),
  ...(spec.type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
})

const statusDefaults = (status: ServiceStatus): ServiceStatus => {
  const ingress = status.loadBalancer?.ingress
  if (ingress === undefined) return status
  const defaulted = ingress.map((each) =>
    each.ip !== undefined && each.ip !== '' && each.ipMode === undefined ? { ...each, ipMode: 'VIP' as const } : each,
  )
  return { ...status, loadBalancer: { ...status.loadBalancer, ingress: defaulted } }
}
