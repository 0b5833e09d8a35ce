import type { Problem } from '../../kind.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import { validateNonNegative, validateSelectorAndTemplate } from '../pod-selector.ts'
import type { ReplicaSet, ReplicaSetStatus } from './schema.ts'

/** All problems of a ReplicaSet; its selector can't change once it has pods. */
export const validateReplicaSet = (replicaSet: ReplicaSet, old?: ReplicaSet): readonly Problem[] => {
  const problems = new Problems()
  const { spec, status } = replicaSet
  validateNonNegative(problems, 'spec', { replicas: spec.replicas, minReadySeconds: spec.minReadySeconds })
  validateSelectorAndTemplate(problems, 'spec', { kind: 'ReplicaSet', selector: spec.selector, template: spec.template })
  if (old !== undefined && !sameValue(spec.selector, old.spec.selector)) {
    problems.invalid('spec.selector', spec.selector ?? null, 'field is immutable')
  }
  if (status !== undefined && status !== old?.status) validateStatus(problems, status)
  return problems.list
}

const validateStatus = (problems: Problems, status: ReplicaSetStatus): void => {
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0, observedGeneration } = status
  validateNonNegative(problems, 'status', {
    replicas,
    fullyLabeledReplicas,
    readyReplicas,
    availableReplicas,
    observedGeneration,
  })
  for (const [field, count] of Object.entries({ fullyLabeledReplicas, readyReplicas, availableReplicas })) {
    if (count > replicas) problems.invalid(`status.${field}`, count, 'cannot be greater than status.replicas')
  }
  if (availableReplicas > readyReplicas) {
    problems.invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas')
  }
}
