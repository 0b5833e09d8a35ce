import { configKeyErrors, envVarNameErrors, qualifiedNameErrors } from '../../meta/names.ts'
import type { Problems } from '../../problems.ts'
import type { Container, EnvFromSource, EnvVar } from './container.ts'

/** The parts of a Pod that a variable may hold. */
const ENV_FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]

const SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const

/** Reports what is wrong with the environment of a container. */
export const validateEnv = (problems: Problems, path: string, container: Container): void => {
  for (const [index, variable] of (container.env ?? []).entries()) {
    const at = `${path}.env[${index}]`
    if (!variable.name) problems.required(`${at}.name`)
    else problems.invalidEach(`${at}.name`, variable.name, envVarNameErrors(variable.name))
    if (variable.valueFrom !== undefined) validateValueFrom(problems, `${at}.valueFrom`, variable)
  }
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    validateEnvFrom(problems, `${path}.envFrom[${index}]`, source)
  }
}

const validateValueFrom = (problems: Problems, path: string, { value, valueFrom = {} }: EnvVar): void => {
  const given = SOURCES.filter((source) => valueFrom[source] !== undefined)
  if (given.length === 0) {
    problems.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`')
  } else if (value) problems.invalid(path, '', 'may not be specified when `value` is not empty')
  else if (given.length > 1) problems.invalid(path, '', 'may not have more than one field specified at a time')
  if (valueFrom.fieldRef !== undefined) validateFieldPath(problems, `${path}.fieldRef`, valueFrom.fieldRef.fieldPath ?? '')
  if (valueFrom.resourceFieldRef !== undefined && !valueFrom.resourceFieldRef.resource) {
    problems.required(`${path}.resourceFieldRef.resource`)
  }
  for (const source of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = valueFrom[source]
    if (ref === undefined) continue
    if (!ref.name) problems.required(`${path}.${source}.name`)
    if (!ref.key) problems.required(`${path}.${source}.key`)
    else problems.invalidEach(`${path}.${source}.key`, ref.key, configKeyErrors(ref.key))
  }
}

const validateFieldPath = (problems: Problems, path: string, fieldPath: string): void => {
  if (fieldPath === '') {
    problems.required(`${path}.fieldPath`)
    return
  }
  const key = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath)?.[2]
  if (key !== undefined) problems.invalidEach(`${path}.fieldPath`, fieldPath, qualifiedNameErrors(key.toLowerCase()))
  else if (!ENV_FIELD_PATHS.includes(fieldPath)) problems.notSupported(`${path}.fieldPath`, fieldPath, ENV_FIELD_PATHS)
}

const validateEnvFrom = (problems: Problems, path: string, source: EnvFromSource): void => {
  if (source.prefix) problems.invalidEach(`${path}.prefix`, source.prefix, envVarNameErrors(source.prefix))
  const given = (['configMapRef', 'secretRef'] as const).filter((name) => source[name] !== undefined)
  if (given.length === 0) problems.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`')
  if (given.length > 1) problems.invalid(path, '', 'may not have more than one field specified at a time')
  for (const name of given) if (!source[name]?.name) problems.required(`${path}.${name}.name`)
}
