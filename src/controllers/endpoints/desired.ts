import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from '../../api/index.ts'
import { parseAddress } from '../../ip/index.ts'
import { HEADLESS_LABEL, TRIGGER_TIME_ANNOTATION } from '../endpointslice/labels.ts'
import { podPorts } from '../endpointslice/ports.ts'
import { isReady } from '../pods.ts'

export const OVER_CAPACITY_ANNOTATION = 'endpoints.kubernetes.io/over-capacity'
const MANAGED_BY_LABEL = 'endpoints.kubernetes.io/managed-by'
const MAX_ADDRESSES = 1000

export interface DesiredEndpoints {
  readonly subsets: readonly EndpointSubset[]
  readonly labels: Readonly<Record<string, string>>
  /** More than 1000 addresses: the rest is left out. */
  readonly truncated: boolean
}

/** The legacy Endpoints of a Service: its first family only, grouped by the ports that the pods serve. */
export const desiredEndpoints = (service: Service, pods: readonly Pod[]): DesiredEndpoints => {
  const entries = pods
    .filter((pod) => isListed(service, pod))
    .flatMap((pod): readonly Entry[] => {
      const address = addressOf(service, pod)
      return address ? [{ address, ports: podPorts(service, pod), ready: isPublished(service, pod) }] : []
    })
    .sort((a, b) => Number(b.ready) - Number(a.ready) || (a.address.ip < b.address.ip ? -1 : 1))
  return {
    subsets: subsetsOf(entries.slice(0, MAX_ADDRESSES)),
    labels: {
      ...service.metadata.labels,
      [MANAGED_BY_LABEL]: 'endpoint-controller',
      ...(service.spec.clusterIP === 'None' ? { [HEADLESS_LABEL]: '' } : {}),
    },
    truncated: entries.length > MAX_ADDRESSES,
  }
}

/** The annotations of the object: those that others wrote, and ours. */
export const annotationsOf = (
  known: Endpoints | undefined,
  { truncated, triggerTime }: { readonly truncated: boolean; readonly triggerTime: string | undefined },
): Readonly<Record<string, string>> => {
  const { [OVER_CAPACITY_ANNOTATION]: _, [TRIGGER_TIME_ANNOTATION]: __, ...others } = known?.metadata.annotations ?? {}
  return {
    ...others,
    ...(truncated ? { [OVER_CAPACITY_ANNOTATION]: 'truncated' } : {}),
    ...(triggerTime === undefined ? {} : { [TRIGGER_TIME_ANNOTATION]: triggerTime }),
  }
}

interface Entry {
  readonly address: EndpointAddress
  readonly ports: readonly EndpointPort[]
  readonly ready: boolean
}

const isListed = (service: Service, { metadata, status }: Pod): boolean =>
  status?.phase !== 'Succeeded' &&
  status?.phase !== 'Failed' &&
  (metadata.deletionTimestamp === undefined || service.spec.publishNotReadyAddresses === true)

const isPublished = (service: Service, pod: Pod): boolean => service.spec.publishNotReadyAddresses === true || isReady(pod)

const addressOf = (service: Service, { metadata, spec, status }: Pod): EndpointAddress | undefined => {
  const family = service.spec.ipFamilies?.[0] ?? 'IPv4'
  const all = status?.podIPs?.length ? status.podIPs.map(({ ip }) => ip) : [status?.podIP ?? '']
  const ip = all.find((text) => parseAddress(text)?.family === family)
  if (ip === undefined) return undefined
  const { namespace, name, uid } = metadata
  const targetRef = {
    kind: 'Pod',
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  }
  return {
    ip,
    ...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
    ...(spec.hostname && spec.subdomain === service.metadata.name ? { hostname: spec.hostname } : {}),
    targetRef,
  }
}

const subsetsOf = (entries: readonly Entry[]): readonly EndpointSubset[] => {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const key = JSON.stringify(entry.ports)
    const group = groups.get(key)
    if (group) group.push(entry)
    else groups.set(key, [entry])
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => subsetOf(group))
}

const subsetOf = (group: readonly Entry[]): EndpointSubset => {
  const addresses = group.filter(({ ready }) => ready).map(({ address }) => address)
  const notReadyAddresses = group.filter(({ ready }) => !ready).map(({ address }) => address)
  const ports = (group[0]?.ports ?? []).map(({ name, ...port }) => (name ? { name, ...port } : port))
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  }
}
