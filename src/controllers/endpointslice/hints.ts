import type { Endpoint, Service } from '../../api/index.ts'

const TOPOLOGY_MODE_ANNOTATIONS = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'] as const

/**
 * The endpoints of all groups of one family with the hints that `trafficDistribution` asks for (KEP-4444, KEP-3015).
 * All or nothing: proxies ignore the hints when one ready endpoint has none, so an unknown zone removes every zone hint.
 */
export const withHints = (service: Service, groups: readonly (readonly Endpoint[])[]): readonly (readonly Endpoint[])[] => {
  const { trafficDistribution } = service.spec
  if (trafficDistribution === undefined || hasTopologyMode(service)) return groups
  const ready = groups.flat().filter(({ conditions }) => conditions?.ready)
  if (ready.some(({ zone }) => !zone)) return groups
  const wantsNodes = trafficDistribution === 'PreferSameNode'
  return groups.map((endpoints) =>
    endpoints.map((endpoint) => {
      const { zone, nodeName, conditions } = endpoint
      if (!conditions?.ready || !zone) return endpoint
      return {
        ...endpoint,
        hints: { forZones: [{ name: zone }], ...(wantsNodes && nodeName ? { forNodes: [{ name: nodeName }] } : {}) },
      }
    }),
  )
}

const hasTopologyMode = ({ metadata }: Service): boolean =>
  TOPOLOGY_MODE_ANNOTATIONS.some((key) => metadata.annotations?.[key]?.toLowerCase() === 'auto')
