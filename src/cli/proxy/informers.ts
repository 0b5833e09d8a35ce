import {
  type EndpointSlice,
  endpointSliceKind,
  type Node,
  nodeKind,
  type Service,
  type ServiceCIDR,
  serviceCIDRKind,
  serviceKind,
} from '../../api/index.ts'
import type { Clock, Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { createInformer, type Informer } from '../../informers/index.ts'
import { SERVICE_PROXY_NAME_LABEL, serviceEssence, sliceEssence, sliceIndexes } from '../../model/index.ts'

export interface ProxyInformers {
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  readonly nodes: Informer<Node>
  /** Left out when the ranges were told. */
  readonly serviceCIDRs?: Informer<ServiceCIDR>
}

export interface ProxyInformersOptions {
  readonly client: Client
  readonly nodeName: string
  readonly withServiceCIDRs: boolean
  readonly clock: Clock
  readonly log: Logger
}

/** Services of other proxies, and Services without ClusterIP, are not even sent. */
export const NOT_OF_OTHERS = `!${SERVICE_PROXY_NAME_LABEL}`
const NOT_HEADLESS = '!service.kubernetes.io/headless'

/** What a proxy follows, as narrowly as kube-proxy: of the Nodes only its own. None is started. */
export const proxyInformers = ({ client, nodeName, withServiceCIDRs, clock, log }: ProxyInformersOptions): ProxyInformers => {
  const deps = { client, clock, log }
  return {
    services: createInformer({ ...deps, kind: serviceKind, keep: serviceEssence, labelSelector: NOT_OF_OTHERS }),
    slices: createInformer({
      ...deps,
      kind: endpointSliceKind,
      labelSelector: `${NOT_OF_OTHERS},${NOT_HEADLESS}`,
      indexes: sliceIndexes,
      keep: sliceEssence,
    }),
    nodes: createInformer({ ...deps, kind: nodeKind, fieldSelector: `metadata.name=${nodeName}` }),
    ...(withServiceCIDRs ? { serviceCIDRs: createInformer({ ...deps, kind: serviceCIDRKind }) } : {}),
  }
}
