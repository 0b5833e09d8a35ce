import type { EndpointSlice, Node, Service } from '../../../../api/index.ts'
import { formatAddress, parseAddress } from '../../../../ip/index.ts'
import { conditionsOf } from '../../../../model/index.ts'
import { placementOf } from '../../../placement.ts'

export interface AnnounceSnapshot {
  readonly services: readonly Service[]
  slicesOf(service: Service): readonly EndpointSlice[]
  /** Whose Services these are, by what is written on them. */
  readonly providerName: string
  readonly nodeName: string
  readonly node: Node | undefined
}

const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers'

/**
 * The addresses for which this node may stand: every one that this provider gave, but with externalTrafficPolicy Local only where the node has an endpoint that
 * takes traffic. Sorted.
 */
export const mayAnnounce = ({ services, slicesOf, providerName, nodeName, node }: AnnounceSnapshot): readonly string[] => {
  if (node?.metadata.labels?.[EXCLUDE_LABEL] !== undefined || node?.metadata.deletionTimestamp !== undefined) return []
  const may = services
    .filter((service) => placementOf(service)?.provider === providerName && service.spec.type === 'LoadBalancer')
    .filter((service) => service.spec.externalTrafficPolicy !== 'Local' || isServedOn(slicesOf(service), nodeName))
  return [...new Set(may.flatMap(addressesOf))].sort()
}

const addressesOf = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '', ipMode }) => {
    const address = parseAddress(ip)
    return address === undefined || ipMode === 'Proxy' ? [] : [formatAddress(address)]
  })

/** Ready ones count, or where none is ready on any node those that still serve while they end. */
const isServedOn = (slices: readonly EndpointSlice[], nodeName: string): boolean => {
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? [])
  const isReady = endpoints.some((endpoint) => conditionsOf(endpoint).ready)
  return endpoints.some((endpoint) => {
    const { ready, serving } = conditionsOf(endpoint)
    return endpoint.nodeName === nodeName && (isReady ? ready : serving)
  })
}
