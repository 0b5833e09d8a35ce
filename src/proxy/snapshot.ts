import type { EndpointSlice, Node, Service } from '../api/index.ts'
import type { Lister } from '../informers/index.ts'
import type { NodeView } from '../model/index.ts'

/** What one Service's forwarding is computed from, read once. */
export interface Snapshot {
  readonly key: string
  /** Left out when the Service is gone. */
  readonly service?: Service
  readonly slices: readonly EndpointSlice[]
  readonly node: NodeView
}

export interface SnapshotSource {
  readonly services: Lister<Service>
  /** Must have the index `service` (`sliceIndexes` of src/model). */
  readonly slices: Lister<EndpointSlice>
}

/** `key` is `namespace/name`. */
export const snapshot = (source: SnapshotSource, key: string, node: NodeView): Snapshot => {
  const slash = key.indexOf('/')
  const service = source.services.get(key.slice(0, slash), key.slice(slash + 1))
  return service === undefined ? { key, slices: [], node } : { key, service, slices: source.slices.byIndex('service', key), node }
}

export interface NodeConfig {
  readonly nodeName: string
  /** Where NodePorts are served; only loopback unless configured. */
  readonly nodePortAddresses: readonly string[]
  /** The local detector; the Node's `spec.podCIDRs` when left out. */
  readonly podCIDRs?: readonly string[]
  /** This node's addresses, beside those in the Node's status. */
  readonly nodeAddresses?: readonly string[]
  readonly masqueradeAll?: boolean
}

const ZONE_LABEL = 'topology.kubernetes.io/zone'

/** The node as the rules see it: configuration, completed from its Node object where there is one. */
export const nodeView = (config: NodeConfig, node: Node | undefined): NodeView => {
  const zone = node?.metadata.labels?.[ZONE_LABEL]
  const reported = (node?.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP')
    .map(({ address }) => address)
  return {
    name: config.nodeName,
    ...(zone === undefined ? {} : { zone }),
    addresses: [...new Set([...(config.nodeAddresses ?? []), ...reported])].sort(),
    podCIDRs: config.podCIDRs ?? node?.spec?.podCIDRs ?? [],
    nodePortAddresses: config.nodePortAddresses,
    ...(config.masqueradeAll === undefined ? {} : { masqueradeAll: config.masqueradeAll }),
  }
}
