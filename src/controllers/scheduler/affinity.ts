import type { Node, Pod } from '../../api/index.ts'

interface Requirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

/** Whether `node` fulfils the required node affinity of `pod`: one of its terms, all requirements of that term. */
export const hasRequiredAffinity = ({ spec }: Pod, node: Node): boolean => {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (!required) return true
  return required.nodeSelectorTerms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false
    return (
      matchExpressions.every((requirement) => holds(requirement, ownLabel(node, requirement.key))) &&
      matchFields.every((requirement) => requirement.key === 'metadata.name' && holds(requirement, node.metadata.name))
    )
  })
}

const ownLabel = ({ metadata }: Node, key: string): string | undefined =>
  metadata.labels && Object.hasOwn(metadata.labels, key) ? metadata.labels[key] : undefined

const holds = ({ operator, values = [] }: Requirement, value: string | undefined): boolean => {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
    case 'Lt':
      return value !== undefined && values[0] !== undefined && compares(operator, value, values[0])
    default:
      // An operator that we don't know is one that no node fulfils.
      return false
  }
}

const INTEGER = /^-?\d{1,15}$/

const compares = (operator: 'Gt' | 'Lt', value: string, bound: string): boolean => {
  if (!INTEGER.test(value) || !INTEGER.test(bound)) return false
  return operator === 'Gt' ? Number(value) > Number(bound) : Number(value) < Number(bound)
}
