import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret, Service } from '../../api/index.ts'
import { expand } from './expand.ts'
import { type FieldContext, fieldValue, type MachineSize, resourceValue } from './field-ref.ts'
import { serviceEnv } from './service-env.ts'

/** Everything that a container's environment may be made of, read before. */
export interface EnvSources {
  readonly pod: Pod
  readonly container: Container
  readonly context: FieldContext
  readonly machine: MachineSize
  /** By name, of the pod's namespace. */
  readonly configMaps: ReadonlyMap<string, ConfigMap>
  readonly secrets: ReadonlyMap<string, Secret>
  readonly services: readonly Service[]
  /** Before everything else: the image's and the node's own. */
  readonly base: ReadonlyMap<string, string>
}

/** The environment, or why the container can't be started. */
export type EnvResult =
  | { readonly kind: 'env'; readonly env: ReadonlyMap<string, string> }
  | { readonly kind: 'problem'; readonly message: string }

/** A container's environment in Kubernetes' order: image, Services, `envFrom`, `env`; later ones win. Pure. */
export const containerEnv = (sources: EnvSources): EnvResult => {
  const { pod, container } = sources
  const services = serviceEnv(sources.services, pod.metadata.namespace ?? '', pod.spec.enableServiceLinks ?? true)
  const env = new Map([...sources.base, ...services])
  try {
    for (const [name, value] of fromWhole(sources)) env.set(name, value)
    for (const variable of container.env ?? []) {
      const value = variableValue(variable, sources, env)
      if (value !== undefined) env.set(variable.name, value)
    }
  } catch (error) {
    if (error instanceof EnvProblem) return { kind: 'problem', message: error.message }
    throw error
  }
  return { kind: 'env', env: withoutUnusable(env) }
}

class EnvProblem extends Error {}

/** `execve` can carry neither an empty name, nor `=` in it, nor a zero byte. */
const withoutUnusable = (env: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...env].filter(([name, value]) => name !== '' && !/[=\0]/.test(name) && !value.includes('\0')))

const fromWhole = (sources: EnvSources): readonly (readonly [string, string])[] =>
  (sources.container.envFrom ?? []).flatMap((source) => {
    const entries = source.configMapRef
      ? configMapEntries(sources, source.configMapRef.name ?? '', source.configMapRef.optional ?? false)
      : secretEntries(sources, source.secretRef?.name ?? '', source.secretRef?.optional ?? false)
    return entries.map(([key, value]): [string, string] => [`${source.prefix ?? ''}${key}`, value])
  })

const configMapEntries = (sources: EnvSources, name: string, optional: boolean): readonly (readonly [string, string])[] => {
  const configMap = sources.configMaps.get(name)
  if (configMap === undefined && !optional) throw new EnvProblem(`configmap "${name}" not found`)
  return Object.entries(configMap?.data ?? {})
}

const secretEntries = (sources: EnvSources, name: string, optional: boolean): readonly (readonly [string, string])[] => {
  const secret = sources.secrets.get(name)
  if (secret === undefined && !optional) throw new EnvProblem(`secret "${name}" not found`)
  return Object.entries(secret?.data ?? {}).map(([key, value]): [string, string] => [key, decode(value)])
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')

const variableValue = (variable: EnvVar, sources: EnvSources, env: ReadonlyMap<string, string>): string | undefined => {
  if (variable.valueFrom === undefined) return expand(variable.value ?? '', env)
  return referenced(variable, variable.valueFrom, sources)
}

const referenced = (variable: EnvVar, from: EnvVarSource, sources: EnvSources): string | undefined => {
  if (from.fieldRef) {
    const value = fieldValue(sources.pod, from.fieldRef.fieldPath, sources.context)
    if (value === undefined) throw new EnvProblem(`env ${variable.name}: unsupported fieldPath ${from.fieldRef.fieldPath}`)
    return value
  }
  if (from.resourceFieldRef) {
    const { containerName } = from.resourceFieldRef
    const { pod, container, machine } = sources
    const subject =
      containerName === undefined || containerName === ''
        ? container
        : pod.spec.containers.find(({ name }) => name === containerName)
    const value = subject && resourceValue(subject, from.resourceFieldRef, machine)
    if (value === undefined) throw new EnvProblem(`env ${variable.name}: unsupported resource ${from.resourceFieldRef.resource}`)
    return value
  }
  if (from.configMapKeyRef) {
    const { name = '', key, optional = false } = from.configMapKeyRef
    return pick({ kind: 'configmap', name, key, optional }, sources.configMaps.get(name)?.data, sources.configMaps.has(name))
  }
  if (from.secretKeyRef) {
    const { name = '', key, optional = false } = from.secretKeyRef
    const value = pick({ kind: 'secret', name, key, optional }, sources.secrets.get(name)?.data, sources.secrets.has(name))
    return value === undefined ? undefined : decode(value)
  }
  throw new EnvProblem(`env ${variable.name}: valueFrom names no source that is supported here`)
}

interface KeyReference {
  readonly kind: 'configmap' | 'secret'
  readonly name: string
  readonly key: string
  readonly optional: boolean
}

const pick = (
  reference: KeyReference,
  data: Readonly<Record<string, string>> | undefined,
  exists: boolean,
): string | undefined => {
  const { kind, name, key, optional } = reference
  if (data !== undefined && Object.hasOwn(data, key)) return data[key]
  if (optional) return undefined
  throw new EnvProblem(exists ? `couldn't find key ${key} in ${kind} "${name}"` : `${kind} "${name}" not found`)
}
