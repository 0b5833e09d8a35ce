import type { EndpointSlice, Node, Pod, Service } from '../../api/index.ts'
import type { Lister } from '../../informers/index.ts'
import { parseKey } from '../loop.ts'
import { selectedBy } from '../selection.ts'
import { MANAGED_BY, MANAGED_BY_LABEL } from './labels.ts'
import type { ZoneShares } from './zones.ts'

/** What the slices of one Service depend on. */
export interface ServiceSnapshot {
  readonly service: Service
  readonly pods: readonly Pod[]
  /** The slices that this controller made for the Service. */
  readonly slices: readonly EndpointSlice[]
  node(name: string): Node | undefined
  /** The zones' shares of processors. */
  zones(): ZoneShares
}

export interface EndpointSliceListers {
  readonly services: Lister<Service>
  readonly pods: Lister<Pod>
  readonly nodes: Lister<Node>
  readonly endpointSlices: Lister<EndpointSlice>
  readonly zones: () => ZoneShares
}

/** The present state around one Service; undefined when it is gone, or when its slices are somebody else's work. */
export const readSnapshot = (key: string, listers: EndpointSliceListers): ServiceSnapshot | undefined => {
  const { namespace, name } = parseKey(key)
  const service = listers.services.get(namespace, name)
  if (!service || service.spec.type === 'ExternalName') return undefined
  const selector = service.spec.selector
  if (selector === undefined || Object.keys(selector).length === 0) return undefined
  return {
    service,
    pods: selectedBy(listers.pods, namespace, { matchLabels: selector }),
    slices: listers.endpointSlices
      .byIndex('service', key)
      .filter(({ metadata }) => metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY),
    node: (nodeName) => listers.nodes.get(undefined, nodeName),
    zones: listers.zones,
  }
}
