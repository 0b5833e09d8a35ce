import type { Endpoint, EndpointSlice, Service } from '../../api/index.ts'
import { allocateZones, type ZoneShares } from './zones.ts'

const TOPOLOGY_MODE_ANNOTATIONS = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'] as const

export interface HintSources {
  readonly service: Service
  /** What was hinted before: an endpoint keeps its zone where that does no harm. */
  readonly slices: readonly EndpointSlice[]
  /** Asked only for Services of topology mode Auto. */
  readonly zones: () => ZoneShares
}

export interface Hinted {
  readonly groups: readonly (readonly Endpoint[])[]
  /** Of topology mode Auto: whether there are hints, and why not. */
  readonly topology?: TopologyState
}

export type TopologyState = { readonly kind: 'enabled' } | { readonly kind: 'disabled'; readonly why: string }

/**
 * The endpoints of all groups of one family with their hints: those of topology mode Auto (KEP-2433), else those that `trafficDistribution` asks
 * for (KEP-4444, KEP-3015). All or nothing: proxies ignore the hints when one ready endpoint has none.
 */
export const withHints = (sources: HintSources, groups: readonly (readonly Endpoint[])[]): Hinted => {
  if (hasTopologyMode(sources.service)) return withZonesByShare(sources, groups)
  const { trafficDistribution } = sources.service.spec
  if (trafficDistribution === undefined) return { groups }
  if (groups.flat().some(({ conditions, zone }) => conditions?.ready && !zone)) return { groups }
  const wantsNodes = trafficDistribution === 'PreferSameNode'
  return {
    groups: groups.map((endpoints) =>
      endpoints.map((endpoint) => {
        const { zone, nodeName, conditions } = endpoint
        if (!conditions?.ready || !zone) return endpoint
        return {
          ...endpoint,
          hints: { forZones: [{ name: zone }], ...(wantsNodes && nodeName ? { forNodes: [{ name: nodeName }] } : {}) },
        }
      }),
    ),
  }
}

/** Whether the Service asks for topology mode Auto, under the new name or the old one. */
export const hasTopologyMode = ({ metadata }: Pick<Service, 'metadata'>): boolean =>
  TOPOLOGY_MODE_ANNOTATIONS.some((key) => metadata.annotations?.[key]?.toLowerCase() === 'auto')

const withZonesByShare = ({ slices, zones }: HintSources, groups: readonly (readonly Endpoint[])[]): Hinted => {
  const before = new Map(
    slices.flatMap(({ endpoints }) =>
      (endpoints ?? []).map((endpoint) => [idOf(endpoint), endpoint.hints?.forZones?.[0]?.name] as const),
    ),
  )
  const ready = groups.flat().filter(({ conditions }) => conditions?.ready)
  const zoned = ready.map((endpoint) => ({ id: idOf(endpoint), zone: endpoint.zone, before: before.get(idOf(endpoint)) }))
  const allocation = allocateZones(zoned, zones())
  if (allocation.kind === 'refused') return { groups, topology: { kind: 'disabled', why: allocation.why } }
  const hinted = groups.map((endpoints) =>
    endpoints.map((endpoint) => {
      const zone = endpoint.conditions?.ready ? allocation.byId.get(idOf(endpoint)) : undefined
      return zone === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name: zone }] } }
    }),
  )
  return { groups: hinted, topology: { kind: 'enabled' } }
}

/** Ports don't matter: a pod in two groups is one endpoint. */
const idOf = ({ addresses, targetRef }: Endpoint): string => targetRef?.name ?? addresses[0] ?? ''
