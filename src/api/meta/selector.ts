import type { Problems } from '../problems.ts'
import type { LabelSelector, LabelSelectorRequirement } from './label-selector.ts'
import { validateLabels } from './labels.ts'
import { labelValueErrors, qualifiedNameErrors } from './names.ts'

export type Labels = Readonly<Record<string, string>>

const has = (labels: Labels, key: string): boolean => Object.hasOwn(labels, key)

/** Whether every pair of `matchLabels` is among the labels; an empty selector matches everything. */
export const labelsMatch = (matchLabels: Labels | undefined, labels: Labels | undefined): boolean =>
  Object.entries(matchLabels ?? {}).every(([key, value]) => labels !== undefined && has(labels, key) && labels[key] === value)

/** Whether labels fulfil a selector: undefined matches nothing, an empty one everything. */
export const selectorMatches = (selector: LabelSelector | undefined, labels: Labels | undefined): boolean => {
  if (selector === undefined) return false
  return (
    labelsMatch(selector.matchLabels, labels) &&
    (selector.matchExpressions ?? []).every((requirement) => requirementHolds(requirement, labels ?? {}))
  )
}

const requirementHolds = (requirement: LabelSelectorRequirement, labels: Labels): boolean => {
  const present = has(labels, requirement.key)
  const listed = present && (requirement.values ?? []).includes(labels[requirement.key] ?? '')
  switch (requirement.operator) {
    case 'In':
      return listed
    case 'NotIn':
      return !listed
    case 'Exists':
      return present
    case 'DoesNotExist':
      return !present
    default:
      return requirement.operator satisfies never
  }
}

/** Whether a selector asks for nothing. */
export const isEmptySelector = (selector: LabelSelector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0

/** Reports what a selector may not hold. */
export const validateLabelSelector = (problems: Problems, path: string, selector: LabelSelector | undefined): void => {
  if (selector === undefined) return
  validateLabels(problems, `${path}.matchLabels`, selector.matchLabels)
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    validateRequirement(problems, `${path}.matchExpressions[${index}]`, requirement)
  }
}

const validateRequirement = (problems: Problems, path: string, requirement: LabelSelectorRequirement): void => {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) problems.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        problems.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
      }
      break
    default:
      requirement.operator satisfies never
      problems.invalid(`${path}.operator`, requirement.operator, 'not a valid selector operator')
  }
  problems.invalidEach(`${path}.key`, requirement.key, qualifiedNameErrors(requirement.key ?? ''))
  for (const [index, value] of values.entries()) {
    problems.invalidEach(`${path}.values[${index}]`, value, labelValueErrors(value))
  }
}

/** A selector in the text form of queries and of `kubectl get -o wide`: `a=b,c in (x,y),!d`. */
export const formatLabelSelector = (selector: LabelSelector | undefined): string => {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({ key, text: `${key}=${value}` }))
  const others = (selector?.matchExpressions ?? []).map((requirement) => ({
    key: requirement.key,
    text: formatRequirement(requirement),
  }))
  return [...equal, ...others]
    .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(({ text }) => text)
    .join(',')
}

const formatRequirement = ({ key, operator, values }: LabelSelectorRequirement): string => {
  const list = [...(values ?? [])].sort().join(',')
  switch (operator) {
    case 'In':
      return `${key} in (${list})`
    case 'NotIn':
      return `${key} notin (${list})`
    case 'Exists':
      return key
    case 'DoesNotExist':
      return `!${key}`
    default:
      return operator satisfies never
  }
}
