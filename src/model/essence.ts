import type { Endpoint, EndpointSlice, Service } from '../api/index.ts'
import { SOURCE_RANGES_ANNOTATION } from './frontends.ts'
import { SERVICE_PROXY_NAME_LABEL } from './service-forwarding.ts'
import { conditionsOf, SERVICE_NAME_LABEL } from './slice-endpoints.ts'

/** When the change of the pods happened that a slice tells of: for metrics. */
const TRIGGER_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

/** What of a Service its meaning and Events about it follow from: for caches that nobody else reads. */
export const serviceEssence = ({ metadata, spec: { selector: _, ...spec }, status }: Service): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: essentialMetadata(metadata, SERVICE_PROXY_NAME_LABEL, SOURCE_RANGES_ANNOTATION),
  spec: { ...spec },
  ...(status?.loadBalancer === undefined ? {} : { status }),
})

/** The same of an EndpointSlice; its text is shared with other slices where many have the same. */
export const sliceEssence = ({ metadata, addressType, ports, endpoints }: EndpointSlice): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: essentialMetadata(metadata, SERVICE_NAME_LABEL, TRIGGER_ANNOTATION),
  addressType,
  ...(ports === undefined ? {} : { ports }),
  endpoints: (endpoints ?? []).map(endpointEssence),
})

type Metadata = Service['metadata']

const essentialMetadata = (metadata: Metadata, label: string, annotation: string): Metadata => {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = metadata
  const labelled = labels?.[label]
  const annotated = annotations?.[annotation]
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(labelled === undefined ? {} : { labels: { [label]: labelled } }),
    ...(annotated === undefined ? {} : { annotations: { [annotation]: annotated } }),
  }
}

const endpointEssence = (endpoint: Endpoint): Endpoint => {
  const { addresses, nodeName, zone, targetRef, hints } = endpoint
  const conditions = conditionsOf(endpoint)
  if (nodeName !== undefined && zone !== undefined && targetRef !== undefined && hints === undefined)
    return { addresses, conditions, nodeName, zone, targetRef }
  return {
    addresses,
    conditions,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(hints === undefined ? {} : { hints }),
  }
}
