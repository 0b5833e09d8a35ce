import type { EndpointSlice, Ingress, IngressBackend, Service } from '../../api/index.ts'
import type { Backend } from '../../l7/table/index.ts'
import { type PortReference, resolveServicePort } from '../../model/index.ts'
import type { RouteProblemReason } from './problem.ts'

/** A Service port that an Ingress routes to. */
export interface BackendReference {
  /** What the route table calls it. */
  readonly id: string
  readonly namespace: string
  readonly service: string
  readonly port: PortReference | undefined
}

/** The table's backend for what cannot be served: a resource in place of a Service. */
export const RESOURCE_BACKEND = 'resource'
export const resourceBackend: Backend = { endpoints: [], unavailable: 'resource-backend' }

/** The Service port of a backend; undefined for a resource. */
export const referenceOf = (ingress: Ingress, backend: IngressBackend): BackendReference | undefined => {
  const { service } = backend
  if (service === undefined) return undefined
  const namespace = ingress.metadata.namespace ?? ''
  const { name, number } = service.port ?? {}
  const port = name ? { name } : number ? { number } : undefined
  return { id: `${namespace}/${service.name}/${name || number || ''}`, namespace, service: service.name, port }
}

export interface CompiledBackend {
  readonly backend: Backend
  readonly problem?: { readonly reason: RouteProblemReason; readonly message: string }
}

/**
 * The pods behind a reference: the ready ones, else those that still serve while they terminate. Never the ClusterIP, which would
 * balance twice. What cannot be resolved is a backend without endpoints that says why.
 */
export const compileBackend = (
  reference: BackendReference,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): CompiledBackend => {
  const name = `${reference.namespace}/${reference.service}`
  if (service === undefined) return broken('service-not-found', 'ServiceNotFound', `Service ${name} does not exist`)
  const resolved = reference.port && resolveServicePort(service, slices, reference.port)
  if (resolved?.kind === 'refused' && resolved.reason === 'ExternalName')
    return broken('external-name', 'ExternalNameUnsupported', `Service ${name} is an ExternalName, which is not routed to`)
  if (resolved?.kind !== 'resolved')
    return broken('port-not-found', 'ServicePortNotFound', `Service ${name} has no port ${portText(reference)}`)
  if ((resolved.port.protocol ?? 'TCP') !== 'TCP')
    return broken('port-not-tcp', 'ServicePortNotTCP', `port ${portText(reference)} of Service ${name} is not TCP`)
  const chosen = resolved.ready.length > 0 ? resolved.ready : resolved.draining
  const endpoints = chosen.map(({ address, port }) => ({ address, port }))
  return { backend: endpoints.length > 0 ? { endpoints } : { endpoints, unavailable: 'no-ready-endpoints' } }
}

const broken = (unavailable: string, reason: RouteProblemReason, message: string): CompiledBackend => ({
  backend: { endpoints: [], unavailable },
  problem: { reason, message },
})

const portText = ({ port }: BackendReference): string =>
  port === undefined ? '(none named)' : 'name' in port ? `"${port.name}"` : String(port.number)
