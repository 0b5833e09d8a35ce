import { formatCIDR, readCIDR } from '../../../ip/index.ts'
import type { Problem } from '../../kind.ts'
import { cidrErrors } from '../../meta/ip-fields.ts'
import { Problems } from '../../problems.ts'
import type { ServiceCIDR } from './schema.ts'

const PATH = 'spec.cidrs'
const MAX_CIDRS = 2

/** All problems of a ServiceCIDR: one range of each family, which stays what it is; a second family may be added. */
export const validateServiceCIDR = (serviceCIDR: ServiceCIDR, old?: ServiceCIDR): readonly Problem[] => {
  const problems = new Problems()
  const cidrs = serviceCIDR.spec.cidrs ?? []
  if (old !== undefined && !isContinuation(cidrs, old.spec.cidrs ?? [])) {
    problems.invalid(PATH, cidrs, 'field is immutable')
  }
  if (cidrs.length === 0) problems.required(PATH, 'at least one CIDR required')
  if (cidrs.length > MAX_CIDRS) {
    problems.invalid(PATH, cidrs, 'may only hold up to 2 values')
    return problems.list
  }
  for (const [index, cidr] of cidrs.entries()) validateCIDR(problems, `${PATH}[${index}]`, cidr)
  const families = cidrs.map((cidr) => readCIDR(cidr)?.cidr.family)
  if (families.length === 2 && families[0] !== undefined && families[0] === families[1]) {
    problems.invalid(PATH, cidrs, 'may specify no more than one IP for each IP family')
  }
  return problems.list
}

const validateCIDR = (problems: Problems, path: string, cidr: string): void => {
  const errors = cidrErrors(cidr)
  problems.invalidEach(path, cidr, errors)
  const reading = readCIDR(cidr)
  if (errors.length > 0 || reading === undefined) return
  const canonical = formatCIDR(reading.cidr)
  if (canonical !== cidr) problems.invalid(path, cidr, `must be in canonical form ("${canonical}")`)
}

const isContinuation = (cidrs: readonly string[], old: readonly string[]): boolean =>
  cidrs.length >= old.length && old.every((cidr, index) => cidr === cidrs[index])
