import { type Service, type ServicePort, type ServiceSpec, sameValue } from '../../../api/index.ts'

type Type = NonNullable<ServiceSpec['type']>

const typeOf = (spec: ServiceSpec): Type => spec.type ?? 'ClusterIP'

/** Whether a Service of this type has addresses, or `None` in place of them. */
const hasClusterIP = (spec: ServiceSpec): boolean => typeOf(spec) !== 'ExternalName'

const hasNodePorts = (spec: ServiceSpec): boolean => typeOf(spec) === 'NodePort' || typeOf(spec) === 'LoadBalancer'

const hasHealthCheckNodePort = (spec: ServiceSpec): boolean =>
  typeOf(spec) === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'

const isExternallyAccessible = (spec: ServiceSpec): boolean =>
  hasNodePorts(spec) || (typeOf(spec) === 'ClusterIP' && (spec.externalIPs ?? []).length > 0)

/** A new Service has no status. */
export const prepareForCreate = (service: Service): Service => {
  const { status: _, ...rest } = service
  return { ...rest, spec: dropUnheldPorts(specOf(service)), status: { loadBalancer: {} } }
}

/** Before defaulting a client may have sent none. */
const specOf = (service: Pick<Partial<Service>, 'spec'>): ServiceSpec => service.spec ?? {}

/** Nothing holds a node port for an ExternalName, so it shows none. */
const dropUnheldPorts = (spec: ServiceSpec): ServiceSpec =>
  typeOf(spec) === 'ExternalName' && spec.ports !== undefined ? { ...spec, ports: withoutNodePorts(spec.ports) } : spec

const withoutNodePorts = (ports: readonly ServicePort[]): readonly ServicePort[] => ports.map(({ nodePort: _, ...port }) => port)

/**
 * What a client that replaces a Service may leave out or leave behind: allocated values that it does not send are kept, and
 * values that only the old type had, and that it sends back unchanged, are dropped.
 */
export const prepareForUpdate = (service: Service, old: Service): Service => {
  const steps = [
    pairClusterIPs,
    keepFamilies,
    trimToSingleStack,
    dropForType,
    keepClusterIPs,
    keepNodePorts,
    keepHealthCheckNodePort,
    dropUnheldPorts,
  ]
  const spec = steps.reduce((current, step) => step(current, old.spec), specOf(service))
  const leavesLoadBalancer = typeOf(old.spec) === 'LoadBalancer' && typeOf(spec) !== 'LoadBalancer'
  if (!leavesLoadBalancer) return { ...service, spec }
  return { ...service, spec, status: { ...service.status, loadBalancer: {} } }
}

type Step = (spec: ServiceSpec, old: ServiceSpec) => ServiceSpec

const listOf = (list: readonly string[] | undefined): readonly string[] => list ?? []

/** Clients from before dual-stack know only `clusterIP`: what they do to it is done to `clusterIPs`. */
const pairClusterIPs: Step = (spec, old) => {
  const [now, before] = [spec.clusterIP ?? '', old.clusterIP ?? '']
  const same = sameValue(listOf(spec.clusterIPs), listOf(old.clusterIPs))
  if (now === before) return listOf(spec.clusterIPs).length === 0 ? { ...spec, clusterIPs: old.clusterIPs } : spec
  if (!same) return spec
  return { ...spec, clusterIPs: now === '' ? undefined : [now] }
}

/** A client that says nothing about families means those that the Service has. */
const keepFamilies: Step = (spec, old) => {
  if (!hasClusterIP(spec) || !hasClusterIP(old)) return spec
  return {
    ...spec,
    ipFamilyPolicy: spec.ipFamilyPolicy ?? old.ipFamilyPolicy,
    ipFamilies: listOf(spec.ipFamilies).length === 0 ? old.ipFamilies : spec.ipFamilies,
  }
}

/** Setting the policy to SingleStack alone gives up the second family and its address. */
const trimToSingleStack: Step = (spec, old) => {
  if (!hasClusterIP(spec) || !hasClusterIP(old)) return spec
  if (spec.ipFamilyPolicy !== 'SingleStack' || old.ipFamilyPolicy === 'SingleStack') return spec
  const sameIPs = listOf(spec.clusterIPs).length === 0 || sameValue(spec.clusterIPs, old.clusterIPs)
  const sameFamilies = sameValue(spec.ipFamilies, old.ipFamilies)
  return {
    ...spec,
    ...(sameIPs ? { clusterIPs: old.clusterIPs?.slice(0, 1) } : {}),
    ...(sameFamilies ? { ipFamilies: old.ipFamilies?.slice(0, 1) } : {}),
  }
}

/** A patch of `type` alone sends the rest of the old spec along; what the new type may not have goes, if it was not changed. */
const dropForType: Step = (spec, old) => {
  const dropped: (keyof ServiceSpec)[] = []
  const drop = (before: boolean, now: boolean, fields: readonly (keyof ServiceSpec)[]): void => {
    if (before && !now) dropped.push(...fields.filter((field) => sameValue(spec[field], old[field])))
  }
  drop(hasClusterIP(old), hasClusterIP(spec), [
    'clusterIP',
    'clusterIPs',
    'ipFamilies',
    'ipFamilyPolicy',
    'internalTrafficPolicy',
  ])
  drop(hasHealthCheckNodePort(old), hasHealthCheckNodePort(spec), ['healthCheckNodePort'])
  drop(typeOf(old) === 'LoadBalancer', typeOf(spec) === 'LoadBalancer', ['allocateLoadBalancerNodePorts', 'loadBalancerClass'])
  drop(typeOf(old) === 'ExternalName', typeOf(spec) === 'ExternalName', ['externalName'])
  drop(isExternallyAccessible(old), isExternallyAccessible(spec), ['externalTrafficPolicy'])
  const next: ServiceSpec = Object.fromEntries(Object.entries(spec).filter(([field]) => !dropped.some((each) => each === field)))
  if (!hasNodePorts(old) || hasNodePorts(spec) || !sameNodePorts(spec, old)) return next
  return { ...next, ports: withoutNodePorts(next.ports ?? []) }
}

const nodePortsOf = (spec: ServiceSpec): readonly number[] => (spec.ports ?? []).map((port) => port.nodePort ?? 0)

const sameNodePorts = (spec: ServiceSpec, old: ServiceSpec): boolean => {
  const before = new Set(nodePortsOf(old))
  return nodePortsOf(spec).every((port) => port === 0 || before.has(port))
}

const keepClusterIPs: Step = (spec, old) => {
  if (!hasClusterIP(spec) || !hasClusterIP(old)) return spec
  const clusterIP = spec.clusterIP || old.clusterIP
  const inherits = listOf(spec.clusterIPs).length === 0 && clusterIP === old.clusterIP
  return { ...spec, clusterIP, clusterIPs: inherits ? old.clusterIPs : spec.clusterIPs }
}

/** Ports are told apart by name; a number that another port of the new spec asks for is not inherited. */
const keepNodePorts: Step = (spec, old) => {
  if (!hasNodePorts(spec) || !hasNodePorts(old)) return spec
  const requested = new Set((spec.ports ?? []).filter(hasNumber).map(portId))
  const byName = new Map((old.ports ?? []).map((port) => [port.name ?? '', port.nodePort ?? 0]))
  const ports = spec.ports?.map((port) => {
    const inherited = byName.get(port.name ?? '') ?? 0
    if (hasNumber(port) || inherited === 0) return port
    const next = { ...port, nodePort: inherited }
    if (requested.has(portId(next))) return port
    requested.add(portId(next))
    return next
  })
  return { ...spec, ports }
}

const hasNumber = (port: ServicePort): boolean => (port.nodePort ?? 0) !== 0

const portId = (port: ServicePort): string => `${port.protocol || 'TCP'}/${port.nodePort}`

const keepHealthCheckNodePort: Step = (spec, old) => {
  if (!hasHealthCheckNodePort(spec) || !hasHealthCheckNodePort(old)) return spec
  return { ...spec, healthCheckNodePort: spec.healthCheckNodePort || old.healthCheckNodePort }
}
