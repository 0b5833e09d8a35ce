import type { Endpoint, EndpointAddress, EndpointSubset, Endpoints, Service, SlicePort } from '../../api/index.ts'
import { type IPFamily, parseAddress } from '../../ip/index.ts'
import { SERVICE_NAME_LABEL } from '../../model/index.ts'
import { type DesiredEndpoints, type EndpointGroup, portsKey } from '../endpointslice/desired.ts'
import { MANAGED_BY_LABEL, TRIGGER_TIME_ANNOTATION } from '../endpointslice/labels.ts'

export const MIRRORING_MANAGED_BY = 'endpointslicemirroring-controller.k8s.io'
const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER_ANNOTATION = 'control-plane.alpha.kubernetes.io/leader'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
/** Addresses of one subset that are mirrored. */
const MAX_PER_SUBSET = 1000

/** Whether somebody wrote these Endpoints by hand for a Service that selects no pods. */
export const isMirrored = (endpoints: Endpoints | undefined, service: Service | undefined): endpoints is Endpoints =>
  endpoints !== undefined &&
  endpoints.metadata.deletionTimestamp === undefined &&
  endpoints.metadata.labels?.[SKIP_MIRROR_LABEL] !== 'true' &&
  endpoints.metadata.annotations?.[LEADER_ANNOTATION] === undefined &&
  service !== undefined &&
  Object.keys(service.spec.selector ?? {}).length === 0

/** The endpoints of all subsets by family and ports. */
export const mirroredEndpoints = ({ subsets = [] }: Endpoints): DesiredEndpoints & { readonly dropped: number } => {
  const groups = new Map<string, EndpointGroup & { readonly endpoints: Endpoint[] }>()
  let dropped = 0
  for (const subset of subsets) {
    const ports = portsOf(subset)
    const addresses = addressesOf(subset)
    dropped += Math.max(0, addresses.length - MAX_PER_SUBSET)
    for (const { address, ready, family } of addresses.slice(0, MAX_PER_SUBSET)) {
      const key = `${family} ${portsKey(ports)}`
      const group = groups.get(key) ?? { addressType: family, ports, endpoints: [] }
      if (!group.endpoints.some(({ addresses: [known] }) => known === address.ip))
        group.endpoints.push(endpointOf(address, ready))
      groups.set(key, group)
    }
  }
  return { addressTypes: ['IPv4', 'IPv6'], groups: [...groups.values()], skipped: [], dropped }
}

export const mirroredLabels = ({ metadata }: Endpoints): Readonly<Record<string, string>> => ({
  ...metadata.labels,
  [SERVICE_NAME_LABEL]: metadata.name,
  [MANAGED_BY_LABEL]: MIRRORING_MANAGED_BY,
})

export const mirroredAnnotations = ({ metadata }: Endpoints): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED && key !== TRIGGER_TIME_ANNOTATION),
  )

const portsOf = ({ ports = [] }: EndpointSubset): readonly SlicePort[] =>
  ports.map(({ name = '', port, protocol, appProtocol }) => ({
    name,
    protocol: protocol ?? 'TCP',
    port,
    ...(appProtocol ? { appProtocol } : {}),
  }))

interface Mirrored {
  readonly address: EndpointAddress
  readonly ready: boolean
  readonly family: IPFamily
}

/** Ready ones first: they are kept when there are too many. What is no address is left out. */
const addressesOf = ({ addresses = [], notReadyAddresses = [] }: EndpointSubset): readonly Mirrored[] =>
  [
    ...addresses.map((address) => ({ address, ready: true })),
    ...notReadyAddresses.map((address) => ({ address, ready: false })),
  ].flatMap(({ address, ready }) => {
    const parsed = parseAddress(address.ip)
    return parsed === undefined ? [] : [{ address, ready, family: parsed.family }]
  })

const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname ? { hostname } : {}),
  ...(targetRef ? { targetRef } : {}),
  ...(nodeName ? { nodeName } : {}),
})
