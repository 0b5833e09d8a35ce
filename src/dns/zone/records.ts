import type { Endpoint, EndpointSlice, Service } from '../../api/index.ts'
import { parseAddress, reverseName } from '../../ip/index.ts'

/** One resource record; names are lower case without the trailing dot. */
export type ZoneRecord =
  | { readonly name: string; readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly name: string; readonly type: 'CNAME' | 'PTR'; readonly target: string }
  | { readonly name: string; readonly type: 'SRV'; readonly target: string; readonly port: number }
  | { readonly name: string; readonly type: 'TXT'; readonly text: string }

export type RecordType = ZoneRecord['type']

/** What one Service's records depend on. */
export interface ServiceSnapshot {
  readonly service: Service
  readonly slices: readonly EndpointSlice[]
  /** The cluster domain, such as `cluster.local`. */
  readonly domain: string
}

/**
 * The records of one Service (Kubernetes DNS specification 1.1.0). Pure; no record twice, in a stable order.
 * A Service that has no address yet has no records.
 */
export const serviceRecords = (snapshot: ServiceSnapshot): readonly ZoneRecord[] => {
  const { service } = snapshot
  const name = serviceName(snapshot)
  if (service.spec.type === 'ExternalName') return externalName(name, service.spec.externalName)
  if (service.spec.clusterIP === 'None') return unique(headless(snapshot, name))
  return unique(clusterIP(service, name))
}

const serviceName = ({ service, domain }: ServiceSnapshot): string =>
  `${service.metadata.name}.${service.metadata.namespace ?? 'default'}.svc.${domain}`.toLowerCase()

const externalName = (name: string, target: string | undefined): readonly ZoneRecord[] =>
  target ? [{ name, type: 'CNAME', target: target.toLowerCase().replace(/\.$/, '') }] : []

const clusterIP = (service: Service, name: string): readonly ZoneRecord[] => {
  const addresses = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : [])
  if (addresses.length === 0) return []
  return [
    ...addresses.map((address) => addressRecord(name, address)),
    ...(service.spec.ports ?? []).flatMap((port) => serviceRecord(name, { ...port, target: name })),
    ...addresses.flatMap((address) => pointer(address, name)),
  ]
}

const headless = ({ slices }: ServiceSnapshot, name: string): readonly ZoneRecord[] =>
  slices
    .filter((slice) => slice.addressType !== 'FQDN')
    .flatMap((slice) =>
      (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false)
        .flatMap((endpoint) => endpointRecords(slice, endpoint, name)),
    )

const endpointRecords = (slice: EndpointSlice, endpoint: Endpoint, name: string): readonly ZoneRecord[] =>
  endpoint.addresses.flatMap((address) => {
    const own = `${endpointHostname(endpoint, address)}.${name}`
    return [
      addressRecord(name, address),
      addressRecord(own, address),
      ...(slice.ports ?? []).flatMap((port) => serviceRecord(name, { ...port, target: own })),
      ...pointer(address, own),
    ]
  })

/** The hostname, or a made-up one: the address with dashes, as CoreDNS does. */
const endpointHostname = (endpoint: Endpoint, address: string): string =>
  endpoint.hostname?.toLowerCase() || address.toLowerCase().replace(/[.:]/g, '-')

const addressRecord = (name: string, address: string): ZoneRecord => ({
  name,
  type: address.includes(':') ? 'AAAA' : 'A',
  address,
})

const pointer = (text: string, target: string): readonly ZoneRecord[] => {
  const address = parseAddress(text)
  return address ? [{ name: reverseName(address), type: 'PTR', target }] : []
}

interface NamedPort {
  readonly name?: string
  readonly protocol?: string
  readonly port?: number
  readonly target: string
}

/** Only named ports have an SRV record. */
const serviceRecord = (name: string, { name: portName, protocol, port, target }: NamedPort): readonly ZoneRecord[] =>
  portName && port
    ? [{ name: `_${portName}._${(protocol ?? 'TCP').toLowerCase()}.${name}`.toLowerCase(), type: 'SRV', target, port }]
    : []

const unique = (records: readonly ZoneRecord[]): readonly ZoneRecord[] => [
  ...new Map(records.map((record) => [JSON.stringify(record), record])).values(),
]
