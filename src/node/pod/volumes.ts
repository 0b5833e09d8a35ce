import type { ConfigMap, KeyToPath, Pod, Secret, Volume } from '../../api/index.ts'
import { type FieldContext, fieldValue } from './field-ref.ts'

/** A file of a volume; `path` is relative and stays within the volume. */
interface VolumeFile {
  readonly path: string
  readonly content: Buffer
  readonly mode: number
}

/** What a volume is made of, or why it can't be made (now). */
export type VolumePlan =
  | { readonly kind: 'files'; readonly files: readonly VolumeFile[] }
  | { readonly kind: 'empty' }
  | { readonly kind: 'host'; readonly path: string }
  | { readonly kind: 'problem'; readonly message: string }

export interface VolumeSources {
  readonly pod: Pod
  readonly context: FieldContext
  readonly configMaps: ReadonlyMap<string, ConfigMap>
  readonly secrets: ReadonlyMap<string, Secret>
}

/** Kubernetes' default mode of files in such volumes. */
const DEFAULT_MODE = 0o644

/** What a volume of a pod shall hold. Pure. */
export const volumePlan = (volume: Volume, sources: VolumeSources): VolumePlan => {
  try {
    if (volume.emptyDir) return { kind: 'empty' }
    if (volume.hostPath) return { kind: 'host', path: volume.hostPath.path }
    if (volume.configMap || volume.secret || volume.downwardAPI) {
      return { kind: 'files', files: checked(projection(volume, sources, modeOf(volume))) }
    }
    if (volume.projected) {
      const mode = volume.projected.defaultMode ?? DEFAULT_MODE
      return {
        kind: 'files',
        files: checked((volume.projected.sources ?? []).flatMap((source) => projection(source, sources, mode))),
      }
    }
  } catch (error) {
    if (error instanceof VolumeProblem) return { kind: 'problem', message: `volume "${volume.name}": ${error.message}` }
    throw error
  }
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'no source'
  return { kind: 'problem', message: `volume "${volume.name}": ${kind} is not supported on this node` }
}

class VolumeProblem extends Error {}

const modeOf = (volume: Volume): number =>
  volume.configMap?.defaultMode ?? volume.secret?.defaultMode ?? volume.downwardAPI?.defaultMode ?? DEFAULT_MODE

/** A volume's source, or one of a projected volume. */
type Source = Pick<Volume, 'downwardAPI'> & {
  readonly configMap?: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean }
  readonly secret?: {
    readonly name?: string
    readonly secretName?: string
    readonly items?: readonly KeyToPath[]
    readonly optional?: boolean
  }
}

const projection = (source: Source, sources: VolumeSources, mode: number): readonly VolumeFile[] => {
  if (source.configMap) {
    const { name = '', items, optional = false } = source.configMap
    const object = sources.configMaps.get(name)
    if (object === undefined) return missing(optional, `configmap "${name}" not found`)
    const content = new Map([...entries(object.data, 'utf8'), ...entries(object.binaryData, 'base64')])
    return keyed(content, { items, optional, mode, what: `configmap "${name}"` })
  }
  if (source.secret) {
    const { items, optional = false } = source.secret
    const name = source.secret.secretName ?? source.secret.name ?? ''
    const object = sources.secrets.get(name)
    if (object === undefined) return missing(optional, `secret "${name}" not found`)
    return keyed(new Map(entries(object.data, 'base64')), { items, optional, mode, what: `secret "${name}"` })
  }
  return (source.downwardAPI?.items ?? []).map((item) => {
    const value = fieldValue(sources.pod, item.fieldRef?.fieldPath ?? '', sources.context)
    if (value === undefined) throw new VolumeProblem(`unsupported fieldPath ${item.fieldRef?.fieldPath}`)
    return { path: item.path, content: Buffer.from(value), mode: item.mode ?? mode }
  })
}

const missing = (optional: boolean, message: string): readonly VolumeFile[] => {
  if (optional) return []
  throw new VolumeProblem(message)
}

const entries = (data: Readonly<Record<string, string>> | undefined, encoding: 'utf8' | 'base64'): [string, Buffer][] =>
  Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)])

interface KeyedOptions {
  readonly items: readonly KeyToPath[] | undefined
  readonly optional: boolean
  readonly mode: number
  readonly what: string
}

const keyed = (content: ReadonlyMap<string, Buffer>, options: KeyedOptions): readonly VolumeFile[] => {
  if (options.items === undefined) return [...content].map(([path, data]) => ({ path, content: data, mode: options.mode }))
  return options.items.flatMap((item) => {
    const data = content.get(item.key)
    if (data !== undefined) return [{ path: item.path, content: data, mode: item.mode ?? options.mode }]
    return missing(options.optional, `${options.what} has no key ${item.key}`)
  })
}

/** Paths come from users: none may leave the volume. */
const checked = (files: readonly VolumeFile[]): readonly VolumeFile[] => {
  for (const { path } of files) {
    const bad = path === '' || path.startsWith('/') || path.includes('\0') || path.split('/').includes('..')
    if (bad) throw new VolumeProblem(`path ${JSON.stringify(path)} is not a relative path within the volume`)
  }
  return files
}
