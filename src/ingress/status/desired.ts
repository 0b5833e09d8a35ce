import type { Ingress, IngressLoadBalancerIngress, Service } from '../../api/index.ts'
import { CLUSTER_IP_NONE } from '../../api/index.ts'

export type StatusEntries = readonly IngressLoadBalancerIngress[]

export interface StatusInput {
  readonly ingress: Ingress
  readonly isOurs: boolean
  /** Where clients find what is ours. */
  readonly published: StatusEntries
  /** What we saw in its status while it was ours; undefined when it never was. */
  readonly seen: StatusEntries | undefined
}

/** What an Ingress's status must become, or undefined when it stays. Of an Ingress that is another's only our own entries are ever taken out. */
export const desiredStatus = ({ ingress, isOurs, published, seen }: StatusInput): StatusEntries | undefined => {
  const present = presentStatus(ingress)
  if (isOurs) return sameEntries(present, published) ? undefined : published
  const isOurEntry = seen !== undefined && (sameEntries(present, seen) || sameEntries(present, published))
  return isOurEntry && present.length > 0 ? [] : undefined
}

export const presentStatus = (ingress: Ingress): StatusEntries => ingress.status?.loadBalancer?.ingress ?? []

export const sameEntries = (a: StatusEntries, b: StatusEntries): boolean =>
  a.length === b.length && a.every((entry, i) => textOf(entry) === textOf(b[i]))

const textOf = (entry: IngressLoadBalancerIngress | undefined): string => {
  const ports = (entry?.ports ?? []).map(({ port, protocol, error }) => [port, protocol, error ?? ''])
  return JSON.stringify([entry?.ip ?? '', entry?.hostname ?? '', ports])
}

/**
 * What a Service says of where it is reached, by ingress-nginx's rules: the name of an ExternalName; the load balancer's entries and the external addresses; without
 * a load balancer the external addresses, else the ClusterIP.
 */
export const entriesOfService = ({ spec, status }: Service): StatusEntries => {
  if (spec.type === 'ExternalName') return spec.externalName ? [{ hostname: spec.externalName }] : []
  const external = (spec.externalIPs ?? []).map((ip) => ({ ip }))
  if (spec.type === 'LoadBalancer') {
    const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname, ports }) => ({
      ...(ip ? { ip } : {}),
      ...(hostname ? { hostname } : {}),
      ...(ports && ports.length > 0 ? { ports } : {}),
    }))
    return [...balanced, ...external.filter(({ ip }) => !balanced.some((entry) => entry.ip === ip))]
  }
  if (external.length > 0) return external
  const addresses = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])
  return addresses.filter((ip) => ip !== CLUSTER_IP_NONE).map((ip) => ({ ip }))
}
