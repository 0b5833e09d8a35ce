import { readCIDR } from '../../../ip/index.ts'
import type { Problem } from '../../kind.ts'
import { cidrErrors } from '../../meta/ip-fields.ts'
import { labelValueErrors, qualifiedNameErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import type { Node, NodeSpec, NodeStatus } from './schema.ts'

const MAX_POD_CIDRS = 2

/** All problems of a Node; its ranges of pod addresses stay what they are once set. */
export const validateNode = (node: Node, old?: Node): readonly Problem[] => {
  const problems = new Problems()
  validateTaints(problems, node.spec)
  validatePodCIDRs(problems, node.spec, old?.spec)
  if (node.status !== old?.status) validateAddresses(problems, node.status)
  const was = old?.spec.providerID ?? ''
  if (was !== '' && (node.spec.providerID ?? '') !== was) {
    problems.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')
  }
  return problems.list
}

const validateTaints = (problems: Problems, { taints = [] }: NodeSpec): void => {
  const seen = new Set<string>()
  for (const [index, { key = '', value = '', effect = '' }] of taints.entries()) {
    const path = `spec.taints[${index}]`
    problems.invalidEach(`${path}.key`, key, qualifiedNameErrors(key))
    problems.invalidEach(`${path}.value`, value, labelValueErrors(value))
    problems.checkOneOf(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    const pair = `${effect} ${key}`
    if (seen.has(pair)) problems.duplicate(path, { key, effect })
    seen.add(pair)
  }
}

const validatePodCIDRs = (problems: Problems, spec: NodeSpec, old: NodeSpec | undefined): void => {
  const cidrs = spec.podCIDRs ?? []
  if (cidrs.length > MAX_POD_CIDRS)
    problems.invalid('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family')
  for (const [index, cidr] of cidrs.slice(0, MAX_POD_CIDRS).entries()) {
    problems.invalidEach(`spec.podCIDRs[${index}]`, cidr, cidrErrors(cidr, old?.podCIDRs))
  }
  const families = cidrs.flatMap((cidr) => readCIDR(cidr)?.cidr.family ?? [])
  if (cidrs.length === 2 && families.length === 2 && families[0] === families[1]) {
    problems.invalid('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family')
  }
  const before = old?.podCIDRs ?? []
  if (before.length > 0 && (before.length !== cidrs.length || before.some((cidr, index) => cidr !== cidrs[index]))) {
    problems.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')
  }
}

const validateAddresses = (problems: Problems, status: NodeStatus | undefined): void => {
  const seen = new Set<string>()
  for (const [index, { type, address }] of (status?.addresses ?? []).entries()) {
    const pair = `${type} ${address}`
    if (seen.has(pair)) problems.duplicate(`status.addresses[${index}]`, { type, address })
    seen.add(pair)
  }
}
