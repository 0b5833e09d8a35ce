import type { Problem } from '../../kind.ts'
import { percentErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import { validateNonNegative, validateSelectorAndTemplate } from '../pod-selector.ts'
import type { Deployment, DeploymentSpec } from './schema.ts'

/** All problems of a Deployment; its selector can't change once it has pods. */
export const validateDeployment = (deployment: Deployment, old?: Deployment): readonly Problem[] => {
  const problems = new Problems()
  const { spec, status } = deployment
  const { replicas, minReadySeconds, revisionHistoryLimit, progressDeadlineSeconds } = spec
  validateNonNegative(problems, 'spec', { replicas, minReadySeconds, revisionHistoryLimit, progressDeadlineSeconds })
  validateSelectorAndTemplate(problems, 'spec', { kind: 'Deployment', ...spec })
  validateStrategy(problems, spec)
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= (minReadySeconds ?? 0)) {
    problems.invalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds')
  }
  if (old !== undefined && !sameValue(spec.selector, old.spec.selector)) {
    problems.invalid('spec.selector', spec.selector ?? null, 'field is immutable')
  }
  if (status !== undefined && status !== old?.status) {
    const { observedGeneration, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas } = status
    const counts = { replicas: status.replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas }
    validateNonNegative(problems, 'status', { observedGeneration, ...counts })
  }
  return problems.list
}

const validateStrategy = (problems: Problems, { strategy }: DeploymentSpec): void => {
  const path = 'spec.strategy'
  if (strategy?.type === 'Recreate') {
    if (strategy.rollingUpdate !== undefined) {
      problems.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")
    }
    return
  }
  if (!problems.checkOneOf(`${path}.type`, strategy?.type, ['Recreate', 'RollingUpdate'])) return
  if (strategy?.rollingUpdate === undefined) {
    problems.required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')
    return
  }
  const { maxUnavailable = 0, maxSurge = 0 } = strategy.rollingUpdate
  validateShare(problems, `${path}.rollingUpdate.maxUnavailable`, maxUnavailable)
  validateShare(problems, `${path}.rollingUpdate.maxSurge`, maxSurge)
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    problems.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')
  }
  if (typeof maxUnavailable === 'string' && Number.parseInt(maxUnavailable, 10) > 100) {
    problems.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%')
  }
}

const validateShare = (problems: Problems, path: string, share: number | string): void => {
  if (typeof share === 'string') problems.invalidEach(path, share, percentErrors(share))
  else if (share < 0) problems.invalid(path, share, 'must be greater than or equal to 0')
}

const isZero = (share: number | string): boolean => (typeof share === 'number' ? share === 0 : /^0+%$/.test(share))
