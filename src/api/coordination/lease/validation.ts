import type { Problem } from '../../kind.ts'
import { Problems } from '../../problems.ts'
import type { Lease } from './schema.ts'

/** All problems of a Lease. */
export const validateLease = ({ spec }: Lease): readonly Problem[] => {
  const problems = new Problems()
  const { leaseDurationSeconds, leaseTransitions, holderIdentity, strategy, preferredHolder } = spec
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    problems.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    problems.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0')
  }
  // Coordinated election names its strategy; without one, a holder that is set must not be empty.
  if (strategy === undefined && holderIdentity === '') problems.invalid('spec.holderIdentity', '', 'must not be empty')
  if (preferredHolder !== undefined && preferredHolder !== '' && (strategy === undefined || strategy === '')) {
    problems.forbidden('spec.preferredHolder', 'can only be specified when strategy is defined')
  }
  return problems.list
}
