import type { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { Toleration } from './affinity.ts'
import type { Container } from './container.ts'
import type { PodSpec } from './pod-spec.ts'

/** Reports changes to a Pod that exists: only images, deadlines, more tolerations, and a node for one that has none. */
export const validatePodUpdate = (problems: Problems, spec: PodSpec, old: PodSpec): void => {
  validateImages(problems, 'containers', { containers: spec.containers, old: old.containers })
  validateImages(problems, 'initContainers', { containers: spec.initContainers ?? [], old: old.initContainers ?? [] })
  validateDeadline(problems, spec, old)
  validateTolerations(problems, spec.tolerations ?? [], old.tolerations ?? [])
  const changed = changedFields(withoutMutable(spec, old), withoutMutable(old, old))
  if (changed.length > 0) problems.forbidden('spec', `${MUTABLE}; changed here: ${changed.join(', ')}`)
}

const MUTABLE =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

const validateImages = (
  problems: Problems,
  field: 'containers' | 'initContainers',
  { containers, old }: { readonly containers: readonly Container[]; readonly old: readonly Container[] },
): void => {
  if (containers.length !== old.length) problems.forbidden(`spec.${field}`, 'pod updates may not add or remove containers')
}

const validateDeadline = (problems: Problems, spec: PodSpec, old: PodSpec): void => {
  const path = 'spec.activeDeadlineSeconds'
  if (old.activeDeadlineSeconds === undefined) return
  if (spec.activeDeadlineSeconds === undefined) {
    problems.invalid(path, null, 'must not update from a positive integer to nil value')
  } else if (spec.activeDeadlineSeconds > old.activeDeadlineSeconds) {
    problems.invalid(path, spec.activeDeadlineSeconds, 'must be less than or equal to previous value')
  }
}

const validateTolerations = (problems: Problems, tolerations: readonly Toleration[], old: readonly Toleration[]): void => {
  const withoutTime = (toleration: Toleration): Toleration => ({ ...toleration, tolerationSeconds: undefined })
  const lost = old.filter((each) => !tolerations.some((other) => sameValue(withoutTime(other), withoutTime(each))))
  if (lost.length > 0) {
    problems.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')
  }
}

/** The spec with everything that may change taken from `old`; the node may be set once. */
const withoutMutable = (spec: PodSpec, old: PodSpec): PodSpec => ({
  ...spec,
  containers: withImagesOf(spec.containers, old.containers),
  initContainers: withImagesOf(spec.initContainers ?? [], old.initContainers ?? []),
  activeDeadlineSeconds: undefined,
  tolerations: undefined,
  nodeName: old.nodeName ? spec.nodeName : undefined,
  terminationGracePeriodSeconds:
    (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
      ? old.terminationGracePeriodSeconds
      : spec.terminationGracePeriodSeconds,
  // Gates may be lifted one by one.
  schedulingGates: (spec.schedulingGates ?? []).filter(
    (gate) => !(old.schedulingGates ?? []).some(({ name }) => name === gate.name),
  ),
})

const withImagesOf = (containers: readonly Container[], old: readonly Container[]): readonly Container[] =>
  containers.length === old.length ? containers.map((container, index) => ({ ...container, image: old[index]?.image })) : old

const changedFields = (a: PodSpec, b: PodSpec): readonly string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((field) => !sameValue(a[field as keyof PodSpec], b[field as keyof PodSpec]))
    .map((field) => `spec.${field}`)
