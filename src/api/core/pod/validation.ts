import type { Problem } from '../../kind.ts'
import { addressErrors } from '../../meta/ip-fields.ts'
import { validateAnnotations, validateLabels } from '../../meta/labels.ts'
import { dns1123LabelErrors, dns1123SubdomainErrors, qualifiedNameErrors, rangeMessage } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import type { Toleration } from './affinity.ts'
import { validateContainers } from './container-validation.ts'
import type { PodSpec, PodTemplateSpec } from './pod-spec.ts'
import type { Pod } from './schema.ts'
import { validatePodUpdate } from './update-validation.ts'
import { validateVolumes } from './volume-validation.ts'

const MAX_INT32 = 2 ** 31 - 1

/** All problems of a Pod, as far as Fairway interprets it; the rest is kept as it is. */
export const validatePod = (pod: Pod, old?: Pod): readonly Problem[] => {
  const problems = new Problems()
  // Writes of the status carry the stored spec over.
  if (pod.spec !== old?.spec) {
    validatePodSpec(problems, 'spec', pod.spec)
    if (old === undefined) validateNew(problems, pod.spec)
    else validatePodUpdate(problems, pod.spec, old.spec)
  }
  for (const [index, { ip }] of (pod.status?.podIPs ?? []).entries()) {
    const stored = (old?.status?.podIPs ?? []).map((each) => each.ip)
    problems.invalidEach(`status.podIPs[${index}]`, ip, addressErrors(ip, stored))
  }
  return problems.list
}

/** Reports what is wrong with a template of pods. */
export const validatePodTemplate = (problems: Problems, path: string, template: PodTemplateSpec): void => {
  validateLabels(problems, `${path}.labels`, template.metadata?.labels)
  validateAnnotations(problems, `${path}.annotations`, template.metadata?.annotations)
  validatePodSpec(problems, `${path}.spec`, template.spec)
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    problems.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')
  }
}

const validateNew = (problems: Problems, spec: PodSpec): void => {
  if ((spec.ephemeralContainers ?? []).length > 0) problems.forbidden('spec.ephemeralContainers', 'cannot be set on create')
}

const validatePodSpec = (problems: Problems, path: string, spec: PodSpec): void => {
  validateVolumes(problems, `${path}.volumes`, spec.volumes ?? [])
  validateContainers(problems, path, spec)
  problems.checkOneOf(`${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never'])
  validateTimes(problems, path, spec)
  validateNames(problems, path, spec)
  validateDNS(problems, path, spec)
  for (const [index, toleration] of (spec.tolerations ?? []).entries()) {
    validateToleration(problems, `${path}.tolerations[${index}]`, toleration)
  }
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    const type = gate.conditionType ?? ''
    problems.invalidEach(`${path}.readinessGates[${index}].conditionType`, type, qualifiedNameErrors(type))
  }
}

const validateTimes = (problems: Problems, path: string, spec: PodSpec): void => {
  const grace = spec.terminationGracePeriodSeconds
  if (grace === undefined) problems.required(`${path}.terminationGracePeriodSeconds`)
  else if (grace < 0) problems.invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0')
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32)) {
    problems.invalid(`${path}.activeDeadlineSeconds`, deadline, rangeMessage(1, MAX_INT32))
  }
}

const validateNames = (problems: Problems, path: string, spec: PodSpec): void => {
  validateLabels(problems, `${path}.nodeSelector`, spec.nodeSelector)
  const checks = [
    ['serviceAccountName', dns1123SubdomainErrors],
    ['nodeName', dns1123SubdomainErrors],
    ['priorityClassName', dns1123SubdomainErrors],
    ['hostname', dns1123LabelErrors],
    ['subdomain', dns1123LabelErrors],
  ] as const
  for (const [field, errors] of checks) {
    const value = spec[field]
    if (value !== undefined && value !== '') problems.invalidEach(`${path}.${field}`, value, errors(value))
  }
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    problems.invalidEach(`${path}.hostAliases[${index}].ip`, alias.ip, addressErrors(alias.ip ?? ''))
    for (const [at, hostname] of (alias.hostnames ?? []).entries()) {
      problems.invalidEach(`${path}.hostAliases[${index}].hostnames[${at}]`, hostname, dns1123SubdomainErrors(hostname))
    }
  }
}

const MAX_NAMESERVERS = 3
const MAX_SEARCH_PATHS = 32

const validateDNS = (problems: Problems, path: string, spec: PodSpec): void => {
  problems.checkOneOf(`${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'])
  const nameservers = spec.dnsConfig?.nameservers ?? []
  const searches = spec.dnsConfig?.searches ?? []
  const at = `${path}.dnsConfig`
  if (spec.dnsPolicy === 'None' && spec.dnsConfig === undefined) {
    problems.required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')
  } else if (spec.dnsPolicy === 'None' && nameservers.length === 0) {
    problems.required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    problems.invalid(`${at}.nameservers`, nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`)
  }
  for (const [index, ip] of nameservers.entries()) problems.invalidEach(`${at}.nameservers[${index}]`, ip, addressErrors(ip))
  if (searches.length > MAX_SEARCH_PATHS) {
    problems.invalid(`${at}.searches`, searches, `must not have more than ${MAX_SEARCH_PATHS} search paths`)
  }
  for (const [index, search] of searches.entries()) {
    // `.` alone asks for no search at all; a final dot is meaningless but allowed.
    const name = search.replace(/\.$/, '')
    if (search !== '.') problems.invalidEach(`${at}.searches[${index}]`, search, dns1123SubdomainErrors(name))
  }
}

const validateToleration = (problems: Problems, path: string, toleration: Toleration): void => {
  const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration
  if (key !== '') problems.invalidEach(`${path}.key`, key, qualifiedNameErrors(key))
  if (key === '' && operator !== 'Exists') {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    problems.invalid(`${path}.operator`, operator, detail)
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    problems.invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
  }
  problems.checkOptionalOneOf(`${path}.operator`, operator, ['Equal', 'Exists'])
  if (operator === 'Exists' && value !== '') {
    problems.invalid(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'")
  }
  problems.checkOptionalOneOf(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
}
