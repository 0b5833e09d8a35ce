import type { Problem } from '../kind.ts'
import { Problems } from '../problems.ts'
import { sameValue } from '../same-value.ts'
import { validateAnnotations, validateLabels } from './labels.ts'
import { generateNameErrors, type NameRule, nameErrors } from './name-rule.ts'
import { dns1123LabelErrors, qualifiedNameErrors } from './names.ts'
import type { ObjectMeta, OwnerReference } from './object-meta.ts'

export interface ObjectMetaRules {
  readonly namespaced: boolean
  readonly nameRule: NameRule
}

/** All problems of a new object's metadata; the name must have been generated before. */
export const validateObjectMeta = (meta: ObjectMeta, rules: ObjectMetaRules, path = 'metadata'): readonly Problem[] => {
  const problems = new Problems()
  if (meta.generateName !== undefined && meta.generateName !== '') {
    problems.invalidEach(`${path}.generateName`, meta.generateName, generateNameErrors(rules.nameRule, meta.generateName))
  }
  const name: string | undefined = meta.name
  if (name === undefined || name === '') problems.required(`${path}.name`, 'name or generateName is required')
  else problems.invalidEach(`${path}.name`, name, nameErrors(rules.nameRule, name))
  validateNamespace(problems, path, { namespace: meta.namespace ?? '', namespaced: rules.namespaced })
  validateCommon(problems, path, meta)
  return problems.list
}

/** All problems of metadata that takes the place of `old`. */
export const validateObjectMetaUpdate = (meta: ObjectMeta, old: ObjectMeta, path = 'metadata'): readonly Problem[] => {
  const problems = new Problems()
  if (old.deletionTimestamp !== undefined) {
    const known = new Set(old.finalizers)
    const added = (meta.finalizers ?? []).filter((finalizer) => !known.has(finalizer))
    if (added.length > 0) {
      const names = added.map((finalizer) => JSON.stringify(finalizer)).join(', ')
      const rule = 'no new finalizers can be added if the object is being deleted'
      problems.forbidden(`${path}.finalizers`, `${rule}, found new finalizers []string{${names}}`)
    }
  }
  if ((meta.generation ?? 0) < (old.generation ?? 0)) {
    problems.invalid(`${path}.generation`, meta.generation ?? 0, 'must not be decremented')
  }
  for (const field of IMMUTABLE_FIELDS) {
    if (!sameValue(meta[field], old[field])) problems.invalid(`${path}.${field}`, meta[field] ?? null, 'field is immutable')
  }
  validateCommon(problems, path, meta)
  return problems.list
}

const IMMUTABLE_FIELDS = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const

const validateNamespace = (
  problems: Problems,
  path: string,
  { namespace, namespaced }: { namespace: string; namespaced: boolean },
): void => {
  if (!namespaced) {
    if (namespace !== '') problems.forbidden(`${path}.namespace`, 'not allowed on this type')
  } else if (namespace === '') problems.required(`${path}.namespace`)
  else problems.invalidEach(`${path}.namespace`, namespace, dns1123LabelErrors(namespace))
}

const validateCommon = (problems: Problems, path: string, meta: ObjectMeta): void => {
  if ((meta.generation ?? 0) < 0) problems.invalid(`${path}.generation`, meta.generation, 'must be greater than or equal to 0')
  validateLabels(problems, `${path}.labels`, meta.labels)
  validateAnnotations(problems, `${path}.annotations`, meta.annotations)
  validateOwnerReferences(problems, `${path}.ownerReferences`, meta.ownerReferences ?? [])
  validateFinalizers(problems, `${path}.finalizers`, meta.finalizers ?? [])
}

const validateOwnerReferences = (problems: Problems, path: string, references: readonly OwnerReference[]): void => {
  let controller: string | undefined
  for (const reference of references) {
    // One segment is a version of the core group.
    const version = (reference.apiVersion ?? '').split('/').at(-1) ?? ''
    if (version === '') problems.invalid(`${path}.apiVersion`, reference.apiVersion ?? '', 'version must not be empty')
    for (const field of ['kind', 'name', 'uid'] as const) {
      if ((reference[field] ?? '') === '') problems.invalid(`${path}.${field}`, '', 'must not be empty')
    }
    if (reference.apiVersion === 'v1' && reference.kind === 'Event') {
      problems.invalid(path, reference, '/v1, Kind=Event is disallowed from being an owner')
    }
    if (reference.controller !== true) continue
    const current = `${reference.kind}/${reference.name}`
    if (controller === undefined) controller = current
    else {
      const rule = 'Only one reference can have Controller set to true'
      problems.invalid(path, references, `${rule}. Found "true" in references for ${controller} and ${current}`)
    }
  }
}

const validateFinalizers = (problems: Problems, path: string, finalizers: readonly string[]): void => {
  for (const finalizer of finalizers) {
    problems.invalidEach(path, finalizer, qualifiedNameErrors(finalizer))
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    problems.invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')
  }
}
