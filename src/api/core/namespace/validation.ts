import type { Problem } from '../../kind.ts'
import { qualifiedNameErrors } from '../../meta/names.ts'
import type { ObjectMeta } from '../../meta/object-meta.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { Namespace } from './schema.ts'

/** All problems of a Namespace. */
export const validateNamespace = ({ metadata, spec, status }: Namespace, old?: Namespace): readonly Problem[] => {
  const problems = new Problems()
  for (const [index, finalizer] of (spec.finalizers ?? []).entries()) {
    const path = `spec.finalizers[${index}]`
    problems.invalidEach(path, finalizer, qualifiedNameErrors(finalizer))
    if (!finalizer.includes('/') && finalizer !== 'kubernetes') {
      problems.invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')
    }
  }
  if (old === undefined || !sameValue(status, old.status)) validatePhase(problems, metadata, status?.phase)
  return problems.list
}

const validatePhase = (problems: Problems, { deletionTimestamp }: ObjectMeta, phase: string | undefined): void => {
  problems.checkOptionalOneOf('status.phase', phase, ['Active', 'Terminating'])
  if (deletionTimestamp === undefined && phase !== undefined && phase !== 'Active') {
    problems.invalid('status.phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")
  }
  if (deletionTimestamp !== undefined && phase !== 'Terminating') {
    problems.invalid('status.phase', phase ?? '', "may only be 'Terminating' if `deletionTimestamp` is not empty")
  }
}
