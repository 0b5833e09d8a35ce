import type { EndpointSlice, Service, ServicePort } from '../api/index.ts'
import type { IPFamily } from '../ip/index.ts'
import { type PortEndpoints, portEndpoints, type SliceEndpoint } from './slice-endpoints.ts'

/** As an Ingress backend names a port: by number or by name. A number may be there once for each protocol: TCP is meant when none is named. */
export type PortReference = { readonly name: string } | { readonly number: number; readonly protocol?: 'TCP' | 'UDP' }

export type ResolvedPort =
  | {
      readonly kind: 'resolved'
      readonly port: ServicePort
      /** Ready endpoints of every family of the Service, in the order of its families. */
      readonly ready: readonly SliceEndpoint[]
      /** Endpoints that still serve while they terminate: to be used when none is ready. */
      readonly draining: readonly SliceEndpoint[]
    }
  | { readonly kind: 'refused'; readonly reason: 'NoSuchPort' | 'ExternalName' }

/** The endpoints behind a Service port, for those who talk to pods directly. Works for headless Services too. */
export const resolveServicePort = (
  service: Service,
  slices: readonly EndpointSlice[],
  reference: PortReference,
): ResolvedPort => {
  if (service.spec.type === 'ExternalName') return { kind: 'refused', reason: 'ExternalName' }
  const port = findPort(service, reference)
  if (port === undefined) return { kind: 'refused', reason: 'NoSuchPort' }
  const wanted = { name: port.name ?? '', protocol: port.protocol ?? ('TCP' as const) }
  const endpoints = familiesOf(service).flatMap(
    (family): PortEndpoints['endpoints'] => portEndpoints(slices, family, wanted).endpoints,
  )
  return {
    kind: 'resolved',
    port,
    ready: endpoints.filter(({ conditions }) => conditions.ready),
    draining: endpoints.filter(({ conditions }) => !conditions.ready && conditions.serving && conditions.terminating),
  }
}

const findPort = (service: Service, reference: PortReference): ServicePort | undefined => {
  const ports = service.spec.ports ?? []
  if ('name' in reference) return ports.find((port) => port.name === reference.name)
  const same = ports.filter((port) => port.port === reference.number)
  return same.find((port) => (port.protocol ?? 'TCP') === (reference.protocol ?? 'TCP')) ?? same[0]
}

const familiesOf = (service: Service): readonly IPFamily[] => {
  const families = (service.spec.ipFamilies ?? []).filter((family) => family === 'IPv4' || family === 'IPv6')
  return families.length > 0 ? families : ['IPv4', 'IPv6']
}
