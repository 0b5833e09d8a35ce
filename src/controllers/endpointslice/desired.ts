import type { Endpoint, Pod, Service, SlicePort } from '../../api/index.ts'
import { type IPFamily, parseAddress } from '../../ip/index.ts'
import { isReady } from '../pods.ts'
import { type TopologyState, withHints } from './hints.ts'
import { podPorts } from './ports.ts'
import type { ServiceSnapshot } from './snapshot.ts'

/** Endpoints of one family that serve the same ports. */
export interface EndpointGroup {
  readonly addressType: IPFamily
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly Endpoint[]
}

export interface DesiredEndpoints {
  readonly addressTypes: readonly IPFamily[]
  readonly groups: readonly EndpointGroup[]
  /** Of topology mode Auto: whether there are hints, and why not. */
  readonly topology?: TopologyState
  /** Pods that are left out for now, and why. */
  readonly skipped: readonly { readonly pod: string; readonly reason: 'NodeMissing' }[]
}

/** Which endpoints a Service has, grouped by the ports that they serve. */
export const desiredEndpoints = (snapshot: ServiceSnapshot): DesiredEndpoints => {
  const { service, pods } = snapshot
  const addressTypes = addressTypesOf(service)
  const skipped = pods.filter((pod) => hasPlace(pod) && isNodeMissing(snapshot, pod))
  const included = pods
    .filter((pod) => isRunnable(pod) && !skipped.includes(pod))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const families = addressTypes.map((family) => groupsOf(snapshot, family, included))
  const states = families.flatMap(({ topology }) => topology ?? [])
  const topology = states.find(({ kind }) => kind === 'disabled') ?? states[0]
  return {
    addressTypes,
    groups: families.flatMap(({ groups }) => groups),
    ...(topology === undefined ? {} : { topology }),
    skipped: skipped.map(({ metadata }) => ({ pod: metadata.name, reason: 'NodeMissing' })),
  }
}

/** Canonical text of a port list: the same for the same ports in any order. */
export const portsKey = (ports: readonly SlicePort[]): string =>
  ports
    .map(({ name, protocol, port, appProtocol }) => JSON.stringify([name ?? '', protocol ?? 'TCP', port, appProtocol ?? '']))
    .sort()
    .join()

const addressTypesOf = ({ spec }: Service): readonly IPFamily[] => {
  const families = (spec.ipFamilies ?? []).filter((family) => family === 'IPv4' || family === 'IPv6')
  if (families.length > 0) return families
  // An object from before dual stack: its address says which family it is of.
  const address = spec.clusterIP && spec.clusterIP !== 'None' ? parseAddress(spec.clusterIP) : undefined
  return [address ? address.family : 'IPv4']
}

type GroupsOfFamily = Pick<DesiredEndpoints, 'groups' | 'topology'>

const groupsOf = (snapshot: ServiceSnapshot, family: IPFamily, pods: readonly Pod[]): GroupsOfFamily => {
  const groups = new Map<string, { readonly ports: readonly SlicePort[]; readonly endpoints: Endpoint[] }>()
  for (const pod of pods) {
    const address = addressOf(pod, family)
    if (address === undefined) continue
    const ports = podPorts(snapshot.service, pod)
    const key = portsKey(ports)
    const group = groups.get(key) ?? { ports, endpoints: [] }
    group.endpoints.push(endpointOf(snapshot, pod, address))
    groups.set(key, group)
  }
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
  const { groups: hinted, topology } = withHints(
    { ...snapshot, slices: snapshot.slices.filter(({ addressType }) => addressType === family) },
    sorted.map(({ endpoints }) => endpoints),
  )
  return {
    groups: sorted.map(({ ports }, index) => ({ addressType: family, ports, endpoints: hinted[index] ?? [] })),
    ...(topology === undefined ? {} : { topology }),
  }
}

const endpointOf = ({ service, node }: ServiceSnapshot, pod: Pod, address: string): Endpoint => {
  const { namespace, name, uid, deletionTimestamp } = pod.metadata
  const { nodeName, hostname, subdomain } = pod.spec
  const serving = isReady(pod)
  const terminating = deletionTimestamp !== undefined
  const zone = nodeName ? node(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone'] : undefined
  return {
    addresses: [address],
    conditions: { ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    targetRef: {
      kind: 'Pod',
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
  }
}

const isRunnable = ({ status }: Pod): boolean => status?.phase !== 'Succeeded' && status?.phase !== 'Failed'

const hasPlace = (pod: Pod): boolean => isRunnable(pod) && (pod.status?.podIP ?? '') !== '' && (pod.spec.nodeName ?? '') !== ''

/** The zone of such a pod is unknown, so its hints would be wrong; it comes in when its Node does. */
const isNodeMissing = ({ service, node }: ServiceSnapshot, { spec }: Pod): boolean =>
  spec.nodeName !== undefined && node(spec.nodeName) === undefined && service.spec.publishNotReadyAddresses !== true

const addressOf = ({ status }: Pod, family: IPFamily): string | undefined => {
  const all = status?.podIPs?.length ? status.podIPs.map(({ ip }) => ip) : [status?.podIP ?? '']
  return all.find((ip) => familyOfText(ip) === family)
}

const familyOfText = (text: string): IPFamily | undefined => {
  const address = parseAddress(text)
  return address === undefined ? undefined : address.family
}
