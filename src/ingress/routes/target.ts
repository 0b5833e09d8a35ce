import type { Ingress, IngressBackend } from '../../api/index.ts'
import type { Target } from '../../l7/table/index.ts'
import { annotationsOf, type IngressSettings, routePolicy } from '../annotations/index.ts'
import { type BackendReference, firstPortOf, RESOURCE_BACKEND, referenceOf } from './backend.ts'
import type { NeedsBuilder } from './needs.ts'
import { keyOf } from './problem.ts'

/** Where a target stands, for its policy. */
interface TargetPlace {
  readonly pattern: string
  readonly match: 'exact' | 'prefix' | 'regex' | 'default'
  readonly path: string
  readonly hasTls: boolean
}

interface TargetOptions {
  /** As in the spec: `rules[0].http.paths[1]`. */
  readonly rule: string
  readonly place: TargetPlace
  readonly settings: IngressSettings
  readonly needs: NeedsBuilder
}

/** Backend, labels and policy of one rule of an Ingress. */
export const targetOf = (ingress: Ingress, backend: IngressBackend, { rule, place, settings, needs }: TargetOptions): Target => {
  const reference = referenceOf(ingress, backend)
  if (reference !== undefined) needs.add(reference, keyOf(ingress))
  const errorReference = errorBackendOf(ingress, settings)
  if (errorReference !== undefined) needs.add(errorReference, keyOf(ingress))
  const errorBackend = errorReference && {
    backend: errorReference.id,
    labels: labelsOf(ingress, 'annotation default-backend', errorReference),
  }
  const policy = routePolicy(settings, { ...place, errorBackend })
  return {
    backend: reference?.id ?? RESOURCE_BACKEND,
    labels: labelsOf(ingress, rule, reference),
    ...(policy && { policy }),
  }
}

const errorBackendOf = (ingress: Ingress, { errorStatuses }: IngressSettings): BackendReference | undefined => {
  const { standIn } = annotationsOf(ingress).backend
  return standIn === undefined || errorStatuses.length === 0 ? undefined : firstPortOf(standIn)
}

export const labelsOf = (
  ingress: Ingress,
  rule: string,
  reference: BackendReference | undefined,
): Readonly<Record<string, string>> => ({
  ingress: keyOf(ingress),
  rule,
  ...(reference && { service: `${reference.namespace}/${reference.service}` }),
})
