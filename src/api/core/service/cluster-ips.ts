import { readAddress } from '../../../ip/index.ts'
import { addressErrors } from '../../meta/ip-fields.ts'
import type { Problems } from '../../problems.ts'
import type { ServiceSpec } from './schema.ts'
import { CLUSTER_IP_NONE, isHeadless } from './traits.ts'

const FAMILIES = ['IPv4', 'IPv6']
const POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack']
const PATH = 'spec.clusterIPs'
const ONCE_SET = 'may not change once set'

/** Reports where `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` do not fit together. */
export const validateClusterIPs = (problems: Problems, spec: ServiceSpec, old: ServiceSpec | undefined): void => {
  if (spec.type === 'ExternalName') return
  const ips = spec.clusterIPs ?? []
  const first = spec.clusterIP ?? ''
  if (first === '' && ips.length > 0) problems.invalid(PATH, ips, 'must be empty when `clusterIP` is not specified')
  if (first !== '' && ips.length === 0) problems.required(PATH)
  if (first !== '' && ips.length > 0 && ips[0] !== first) problems.invalid(PATH, ips, 'first value must match `clusterIP`')
  validateFamilies(problems, spec)
  const before = problems.count
  validateAddresses(problems, ips, old?.clusterIPs)
  if (ips.length > 2) problems.invalid(PATH, ips, 'may only hold up to 2 values')
  // Families of addresses that aren't any would only confuse.
  if (problems.count === before && !isHeadless(spec)) validateAddressFamilies(problems, ips, spec.ipFamilies ?? [])
}

const validateFamilies = (problems: Problems, spec: ServiceSpec): void => {
  const families = spec.ipFamilies ?? []
  for (const [index, family] of families.entries()) {
    const path = `spec.ipFamilies[${index}]`
    if (!FAMILIES.includes(family)) problems.notSupported(path, family, FAMILIES)
    if (families.indexOf(family) < index) problems.duplicate(path, family)
    // With two families, all others are unknown or repeated.
    if (index > MAX_REPORTED) break
  }
  if (spec.ipFamilyPolicy !== undefined && !POLICIES.includes(spec.ipFamilyPolicy)) {
    problems.notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, POLICIES)
  }
}

const MAX_REPORTED = 16

const validateAddresses = (problems: Problems, ips: readonly string[], stored: readonly string[] | undefined): void => {
  for (const [index, ip] of ips.entries()) {
    if (index > 0 || ip !== CLUSTER_IP_NONE) problems.invalidEach(`${PATH}[${index}]`, ip, addressErrors(ip, stored))
    else if (ips.length > 1) problems.invalid(PATH, ips, "'None' must be the first and only value")
    if (index > MAX_REPORTED) break
  }
}

const validateAddressFamilies = (problems: Problems, ips: readonly string[], families: readonly string[]): void => {
  const found = ips.map((ip) => readAddress(ip)?.address.family)
  if (new Set(found).size < found.length) problems.invalid(PATH, ips, 'may specify no more than one IP for each IP family')
  for (const [index, ip] of ips.entries()) {
    const expected = families[index]
    if (expected !== undefined && FAMILIES.includes(expected) && expected !== found[index]) {
      problems.invalid(`${PATH}[${index}]`, ip, `expected an ${expected} value as indicated by \`ipFamilies[${index}]\``)
    }
  }
}

/** Reports changes to addresses and families that would break clients: only the secondary of each may come and go. */
export const validateClusterIPsUpdate = (problems: Problems, spec: ServiceSpec, old: ServiceSpec): void => {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return
  const headless = isHeadless(spec)
  const wasHeadless = isHeadless(old)
  if (headless && wasHeadless) return
  validateListUpdate(problems, { list: spec.clusterIPs, old: old.clusterIPs, field: 'clusterIPs', spec })
  // A Service that becomes headless, or stops being it, may take other families with its other addresses.
  if (headless === wasHeadless) {
    validateListUpdate(problems, { list: spec.ipFamilies, old: old.ipFamilies, field: 'ipFamilies', spec })
  }
}

interface ListUpdate {
  readonly list: readonly string[] | undefined
  readonly old: readonly string[] | undefined
  readonly field: 'clusterIPs' | 'ipFamilies'
  readonly spec: ServiceSpec
}

const validateListUpdate = (problems: Problems, { list = [], old = [], field, spec }: ListUpdate): void => {
  const path = `spec.${field}`
  const entry = field === 'clusterIPs' ? 'clusterIP' : 'ipFamily'
  if (old.length > 0 && list.length === 0) problems.invalid(`${path}[0]`, list, `primary ${entry} can not be unset`)
  for (const [index, value] of old.entries()) {
    const now = list[index]
    if (now !== undefined && now !== value) problems.invalid(`${path}[${index}]`, list, ONCE_SET)
  }
  if (old.length > 1 && list.length === 1 && spec.ipFamilyPolicy !== 'SingleStack') {
    const detail = `must be set to 'SingleStack' when releasing the secondary ${entry}`
    problems.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy ?? null, detail)
  }
}
