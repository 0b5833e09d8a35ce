import type { Problem } from '../../kind.ts'
import { addressErrors, cidrErrors, specialAddressErrors } from '../../meta/ip-fields.ts'
import { validateLabels } from '../../meta/labels.ts'
import { dns1123SubdomainErrors, portNumberErrors, qualifiedNameErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { validateClusterIPs, validateClusterIPsUpdate } from './cluster-ips.ts'
import { validateServicePorts } from './ports-validation.ts'
import type { Service, ServiceSpec } from './schema.ts'
import { validateServiceStatus } from './status-validation.ts'
import { isExternallyAccessible, isHeadless, needsHealthCheckNodePort } from './traits.ts'

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']
const MAX_AFFINITY_SECONDS = 86400
const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const TOPOLOGY_MODE_ANNOTATION = 'service.kubernetes.io/topology-mode'
const TOPOLOGY_HINTS_ANNOTATION = 'service.kubernetes.io/topology-aware-hints'
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"

/**
 * All problems of a Service that can be seen without the cluster. Whether addresses and ports are free and in range is the allocators' to say,
 * and they fill in what is missing after this.
 */
export const validateService = (service: Service, old?: Service): readonly Problem[] => {
  const problems = new Problems()
  validateAnnotations(problems, service)
  validateType(problems, service.spec)
  validateServicePorts(problems, service.spec)
  validateLabels(problems, 'spec.selector', service.spec.selector)
  validateAffinity(problems, service.spec)
  validateClusterIPs(problems, service.spec, old?.spec)
  validateExternalIPs(problems, service.spec, old?.spec)
  validateLoadBalancerFields(problems, service, old)
  validateTrafficPolicies(problems, service.spec)
  validateServiceStatus(problems, service, old)
  if (old !== undefined) validateUpdate(problems, service.spec, old.spec)
  return problems.list
}

const validateAnnotations = (problems: Problems, service: Service): void => {
  const annotations = service.metadata.annotations ?? {}
  const mode = annotations[TOPOLOGY_MODE_ANNOTATION]
  const hints = annotations[TOPOLOGY_HINTS_ANNOTATION]
  if (mode !== undefined && hints !== undefined && mode !== hints) {
    const detail = `must match annotations[${TOPOLOGY_HINTS_ANNOTATION}] when both are specified`
    problems.invalid(`metadata.annotations[${TOPOLOGY_MODE_ANNOTATION}]`, mode, detail)
  }
}

const validateType = (problems: Problems, spec: ServiceSpec): void => {
  problems.checkOneOf('spec.type', spec.type, TYPES)
  if (spec.type === 'ExternalName') validateExternalName(problems, spec)
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec)) {
    problems.invalid('spec.clusterIPs[0]', spec.clusterIPs?.[0], `may not be set to 'None' for ${spec.type} services`)
  }
}

const validateExternalName = (problems: Problems, spec: ServiceSpec): void => {
  const unwanted = 'may not be set for ExternalName services'
  if ((spec.clusterIPs ?? []).length > 0) problems.forbidden('spec.clusterIPs', unwanted)
  if ((spec.ipFamilies ?? []).length > 0) problems.forbidden('spec.ipFamilies', unwanted)
  if (spec.ipFamilyPolicy !== undefined) problems.forbidden('spec.ipFamilyPolicy', unwanted)
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') problems.required('spec.externalName')
  else problems.invalidEach('spec.externalName', name, dns1123SubdomainErrors(name))
}

const validateAffinity = (problems: Problems, spec: ServiceSpec): void => {
  problems.checkOneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None'])
  const path = 'spec.sessionAffinityConfig'
  const config = spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'None' && config !== undefined) {
    problems.forbidden(path, 'must not be set when session affinity is None')
  }
  if (spec.sessionAffinity !== 'ClientIP') return
  const seconds = config?.clientIP?.timeoutSeconds
  if (config === undefined) problems.required(path, 'when session affinity type is ClientIP')
  else if (config.clientIP === undefined) problems.required(`${path}.clientIP`, 'when session affinity type is ClientIP')
  else if (seconds === undefined) {
    problems.required(`${path}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP')
  } else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
    const detail = `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`
    problems.invalid(`${path}.clientIP.timeoutSeconds`, seconds, detail)
  }
}

const validateExternalIPs = (problems: Problems, spec: ServiceSpec, old: ServiceSpec | undefined): void => {
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    const path = `spec.externalIPs[${index}]`
    const errors = addressErrors(ip, old?.externalIPs)
    problems.invalidEach(path, ip, errors.length > 0 ? errors : specialAddressErrors(ip))
  }
}

const validateLoadBalancerFields = (problems: Problems, service: Service, old: Service | undefined): void => {
  const { spec } = service
  const isLoadBalancer = spec.type === 'LoadBalancer'
  validateSourceRanges(problems, service, old)
  if (isLoadBalancer && spec.allocateLoadBalancerNodePorts === undefined) {
    problems.required('spec.allocateLoadBalancerNodePorts')
  }
  if (!isLoadBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    problems.forbidden('spec.allocateLoadBalancerNodePorts', ONLY_LOAD_BALANCER)
  }
  if (spec.loadBalancerClass === undefined) return
  if (!isLoadBalancer) problems.forbidden('spec.loadBalancerClass', ONLY_LOAD_BALANCER)
  else problems.invalidEach('spec.loadBalancerClass', spec.loadBalancerClass, qualifiedNameErrors(spec.loadBalancerClass))
}

/** The field, or where it is not used the annotation from before it. */
const validateSourceRanges = (problems: Problems, service: Service, old: Service | undefined): void => {
  const field = service.spec.loadBalancerSourceRanges ?? []
  const annotation = service.metadata.annotations?.[SOURCE_RANGES_ANNOTATION]
  if (field.length === 0 && annotation === undefined) return
  const inField = field.length > 0
  const path = inField ? 'spec.loadBalancerSourceRanges' : `metadata.annotations[${SOURCE_RANGES_ANNOTATION}]`
  if (service.spec.type !== 'LoadBalancer') problems.forbidden(path, ONLY_LOAD_BALANCER)
  const stored = [
    ...(old?.spec.loadBalancerSourceRanges ?? []),
    ...splitRanges(old?.metadata.annotations?.[SOURCE_RANGES_ANNOTATION]),
  ]
  // Blanks around a range are tolerated: the annotation had them.
  const ranges = inField ? field.map((range) => range.trim()) : splitRanges(annotation)
  for (const [index, range] of ranges.entries()) {
    problems.invalidEach(
      inField ? `${path}[${index}]` : path,
      range,
      cidrErrors(
        range,
        stored.map((each) => each.trim()),
      ),
    )
  }
}

const splitRanges = (annotation: string | undefined): readonly string[] =>
  annotation === undefined || annotation.trim() === '' ? [] : annotation.split(',').map((range) => range.trim())

const validateTrafficPolicies = (problems: Problems, spec: ServiceSpec): void => {
  const policies = ['Cluster', 'Local']
  const { externalTrafficPolicy, healthCheckNodePort = 0 } = spec
  if (isExternallyAccessible(spec)) problems.checkOneOf('spec.externalTrafficPolicy', externalTrafficPolicy, policies)
  else if (externalTrafficPolicy !== undefined) {
    problems.invalid('spec.externalTrafficPolicy', externalTrafficPolicy, 'may only be set for externally-accessible services')
  }
  if (healthCheckNodePort !== 0) {
    const path = 'spec.healthCheckNodePort'
    if (needsHealthCheckNodePort(spec)) problems.invalidEach(path, healthCheckNodePort, portNumberErrors(healthCheckNodePort))
    else {
      const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
      problems.invalid(path, healthCheckNodePort, detail)
    }
  }
  if (spec.type === 'ExternalName')
    problems.checkOptionalOneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies)
  else problems.checkOneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies)
  const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    problems.notSupported('spec.trafficDistribution', spec.trafficDistribution, distributions)
  }
}

const validateUpdate = (problems: Problems, spec: ServiceSpec, old: ServiceSpec): void => {
  validateClusterIPsUpdate(problems, spec, old)
  const wasLoadBalancer = old.type === 'LoadBalancer'
  if (wasLoadBalancer && spec.type === 'LoadBalancer' && spec.loadBalancerClass !== old.loadBalancerClass) {
    problems.invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set')
  }
  const port = spec.healthCheckNodePort ?? 0
  const keepsHealthCheck = needsHealthCheckNodePort(old) && needsHealthCheckNodePort(spec)
  // A client that leaves it out keeps the old one.
  if (keepsHealthCheck && port !== 0 && (old.healthCheckNodePort ?? 0) !== 0 && port !== old.healthCheckNodePort) {
    problems.forbidden('spec.healthCheckNodePort', 'field is immutable')
  }
}
