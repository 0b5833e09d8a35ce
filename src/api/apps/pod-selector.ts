import type { PodTemplateSpec } from '../core/pod/pod-spec.ts'
import { validatePodTemplate } from '../core/pod/validation.ts'
import type { LabelSelector } from '../meta/label-selector.ts'
import { isEmptySelector, selectorMatches, validateLabelSelector } from '../meta/selector.ts'
import type { Problems } from '../problems.ts'

interface Workload {
  readonly kind: 'Deployment' | 'ReplicaSet'
  readonly selector: LabelSelector | undefined
  readonly template: PodTemplateSpec | undefined
}

/** Reports a selector that selects nothing or everything, and a template whose pods it would not find. */
export const validateSelectorAndTemplate = (problems: Problems, path: string, { kind, selector, template }: Workload): void => {
  // One that asks for nothing would be every pod's owner.
  if (isEmptySelector(selector)) problems.required(`${path}.selector`)
  else validateLabelSelector(problems, `${path}.selector`, selector)
  if (template === undefined) {
    problems.required(`${path}.template`)
    return
  }
  const labels = template.metadata?.labels
  if (!isEmptySelector(selector) && !selectorMatches(selector, labels)) {
    problems.invalid(`${path}.template.metadata.labels`, labels ?? {}, '`selector` does not match template `labels`')
  }
  validatePodTemplate(problems, `${path}.template`, template)
  const { restartPolicy, activeDeadlineSeconds } = template.spec
  if (restartPolicy !== undefined && restartPolicy !== 'Always') {
    problems.notSupported(`${path}.template.spec.restartPolicy`, restartPolicy, ['Always'])
  }
  if (activeDeadlineSeconds !== undefined) {
    problems.forbidden(`${path}.template.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`)
  }
}

/** Reports a number of things that is below nothing. */
export const validateNonNegative = (
  problems: Problems,
  path: string,
  numbers: Readonly<Record<string, number | undefined>>,
): void => {
  for (const [field, value] of Object.entries(numbers)) {
    if (value !== undefined && value < 0) problems.invalid(`${path}.${field}`, value, 'must be greater than or equal to 0')
  }
}
