import { CLUSTER_IP_NONE, type Ingress, type IngressBackend, type Service } from '../../api/index.ts'
import type { Backend, BackendTls } from '../../l7/table/index.ts'
import { type PortReference, resolveServicePort } from '../../model/index.ts'
import { annotationsOf, appProtocol, authorities, type BackendSettings, clientPair, settingsId } from '../annotations/index.ts'
import type { RouteProblemReason } from './problem.ts'
import type { RouteSources } from './sources.ts'

/** A Service port that an Ingress routes to, and how its pods are reached. */
export interface BackendReference {
  /** What the route table calls it; the same for the same port and settings. */
  readonly id: string
  readonly namespace: string
  readonly service: string
  /** `first`: whichever the Service has first. */
  readonly port: PortReference | 'first' | undefined
  readonly settings: BackendSettings
}

/** The table's backend for what cannot be served: a resource in place of a Service. */
export const RESOURCE_BACKEND = 'resource'
export const resourceBackend: Backend = { endpoints: [], unavailable: 'resource-backend' }
/** Of routes that only redirect. */
export const NO_BACKEND = 'none'
export const noBackend: Backend = { endpoints: [], unavailable: 'redirect-only' }

/** The Service port of a backend; undefined for a resource. `settings` are the Ingress's own when left out. */
export const referenceOf = (
  ingress: Ingress,
  backend: IngressBackend,
  settings?: BackendSettings,
): BackendReference | undefined => {
  const { service } = backend
  if (service === undefined) return undefined
  const namespace = ingress.metadata.namespace ?? ''
  const { name, number } = service.port ?? {}
  const port = name ? { name } : number ? { number } : undefined
  const own = annotationsOf(ingress)
  const suffix = settings === undefined ? own.backendId : settingsId(settings)
  const id = `${namespace}/${service.name}/${name || number || ''}${suffix}`
  return { id, namespace, service: service.name, port, settings: settings ?? own.backend }
}

/** The first port of a Service (`namespace/name`), reached plainly. */
export const firstPortOf = (service: string): BackendReference => {
  const [namespace = '', name = ''] = service.split('/')
  return { id: `${service}/`, namespace, service: name, port: 'first', settings: {} }
}

export interface CompiledBackend {
  readonly backend: Backend
  readonly problem?: { readonly reason: RouteProblemReason; readonly message: string }
}

/**
 * The pods behind a reference: the ready ones, else those that still serve while they terminate, else those of the stand-in. Not the
 * ClusterIP, which would balance twice, unless it was asked for. What cannot be resolved is a backend without endpoints that says why.
 */
export const compileBackend = (
  reference: BackendReference,
  sources: RouteSources,
  defaults: BackendDefaults,
): CompiledBackend => {
  const { settings } = reference
  const own = resolved(reference, sources)
  const problem = own.problem
  const standIn =
    own.endpoints.length === 0 && settings.standIn !== undefined ? resolved(firstPortOf(settings.standIn), sources) : undefined
  const { endpoints, protocol: ofPort, unavailable } = standIn !== undefined && standIn.endpoints.length > 0 ? standIn : own
  const protocol = settings.protocol ?? ofPort
  const isTls = protocol === 'https' || protocol === 'h2'
  const tls: ReadTls = isTls ? readTls(settings, sources) : {}
  if (tls.problem !== undefined) return broken('backend-tls-unreadable', 'AnnotationInvalid', tls.problem)
  const balance = settings.balance ?? defaults.balance
  const backend: Backend = {
    endpoints,
    ...(balance && balance !== 'round-robin' && { balance }),
    ...(protocol && protocol !== 'http' && { protocol }),
    ...(tls.tls && { tls: tls.tls }),
    ...(settings.health && { health: settings.health }),
    ...(settings.slowStartMs && { slowStartMs: settings.slowStartMs }),
    ...(unavailable && { unavailable }),
  }
  return { backend, ...(problem && { problem }) }
}

/** What annotations leave open. */
export interface BackendDefaults {
  readonly balance: Backend['balance']
}

interface Resolved extends Pick<Backend, 'endpoints' | 'protocol' | 'unavailable'> {
  readonly problem?: CompiledBackend['problem']
}

const resolved = (reference: BackendReference, sources: RouteSources): Resolved => {
  const name = `${reference.namespace}/${reference.service}`
  const service = sources.service(name)
  if (service === undefined) return unresolved('service-not-found', 'ServiceNotFound', `Service ${name} does not exist`)
  const port = portOf(reference, service)
  const found = port && resolveServicePort(service, sources.slices(name), port)
  // By name it would be resolved when used, past the deny list of addresses: not offered.
  if (service.spec.type === 'ExternalName')
    return unresolved('external-name', 'ExternalNameUnsupported', `Service ${name} is an ExternalName, which is not routed to`)
  if (found?.kind !== 'resolved')
    return unresolved('port-not-found', 'ServicePortNotFound', `Service ${name} has no port ${portText(reference)}`)
  if ((found.port.protocol ?? 'TCP') !== 'TCP')
    return unresolved('port-not-tcp', 'ServicePortNotTCP', `port ${portText(reference)} of Service ${name} is not TCP`)
  const protocol = appProtocol(found.port.appProtocol)
  const { clusterIP } = service.spec
  if (reference.settings.serviceUpstream && clusterIP && clusterIP !== CLUSTER_IP_NONE)
    return { endpoints: [{ address: clusterIP, port: found.port.port }], protocol }
  const chosen = found.ready.length > 0 ? found.ready : found.draining
  const endpoints = chosen.map((endpoint) => ({ address: endpoint.address, port: endpoint.port }))
  return { endpoints, protocol, ...(endpoints.length === 0 && { unavailable: 'no-ready-endpoints' }) }
}

const portOf = ({ port }: BackendReference, service: Service): PortReference | undefined => {
  if (port !== 'first') return port
  const first = service.spec.ports?.[0]
  return first && { number: first.port }
}

interface ReadTls {
  readonly tls?: BackendTls
  readonly problem?: string
}

const readTls = ({ tls, tlsSecret, tlsRefused }: BackendSettings, sources: RouteSources): ReadTls => {
  if (tlsRefused) return { problem: 'proxy-ssl-secret: a Secret of another namespace is refused' }
  if (tlsSecret === undefined) {
    return tls?.verify
      ? { problem: 'proxy-ssl-verify: proxy-ssl-secret with ca.crt is needed beside it' }
      : { ...(tls && { tls }) }
  }
  const pair = clientPair(tlsSecret, sources)
  if ('problem' in pair) return { problem: `proxy-ssl-secret: ${pair.problem}` }
  const ca = authorities(tlsSecret, sources)
  if (tls?.verify && 'problem' in ca) return { problem: `proxy-ssl-secret: ${ca.problem}` }
  return {
    tls: {
      verify: false,
      ...tls,
      ...('value' in ca && { ca: ca.value }),
      ...(pair.value && { clientCertificate: pair.value }),
    },
  }
}

const broken = (unavailable: string, reason: RouteProblemReason, message: string): CompiledBackend => ({
  backend: { endpoints: [], unavailable },
  problem: { reason, message },
})

const unresolved = (unavailable: string, reason: RouteProblemReason, message: string): Resolved => ({
  endpoints: [],
  unavailable,
  problem: { reason, message },
})

const portText = ({ port }: BackendReference): string => {
  if (port === undefined) return '(none named)'
  if (port === 'first') return 'at all'
  return 'name' in port ? `"${port.name}"` : String(port.number)
}
