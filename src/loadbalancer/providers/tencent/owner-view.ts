import type { Owner, Problem } from '../../provider.ts'
import { type ReadAnnotations, readAnnotations } from './annotations/index.ts'
import { problemOf } from './claim.ts'

/** An owner and what its annotations ask for. */
export interface OwnerView extends Pick<ReadAnnotations, 'settings'> {
  readonly owner: Owner
  readonly problems: readonly Problem[]
  /** Nothing of it is changed: it wants that (`skip`), or what it wants cannot be read. */
  readonly isFrozen: boolean
  readonly isSkipped: boolean
  readonly isSelectorUnknown: boolean
}

const BACKENDS_LABEL = 'service.kubernetes.io/qcloud-loadbalancer-backends-label'

export const viewOwner = (owner: Owner): OwnerView => {
  const { settings, findings } = readAnnotations(owner.annotations)
  return {
    owner,
    settings,
    problems: findings.map(problemOf),
    isFrozen: settings.mode === 'skip' || findings.some(({ blocks }) => blocks === 'all'),
    isSkipped: settings.mode === 'skip',
    isSelectorUnknown: findings.some(({ key }) => key === BACKENDS_LABEL),
  }
}
