import { apiVersionOf, isAlreadyExists, isNotFound, type Kind, type KubeObject, scheme } from '../../api/index.ts'
import { UserError } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import type { Manifest } from './read.ts'

/** kubectl's annotation: what the last apply asked for, so that the next one knows what to take away. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

export interface Applied {
  /** `service/web`, or `ingress.networking.k8s.io/web`. */
  readonly label: string
  readonly outcome: 'created' | 'configured' | 'unchanged'
}

export interface ApplyOptions {
  readonly namespace: string
  readonly fieldManager: string
}

/**
 * Client-side apply of one object: creates it, or patches what changed between the last applied manifest and this one.
 * Rejects with `UserError` for an unknown kind and with the server's `ApiError`.
 */
export const applyManifest = async (client: Client, manifest: Manifest, options: ApplyOptions): Promise<Applied> => {
  const { kind, object } = identify(manifest, options.namespace)
  const ref = { namespace: object.metadata.namespace, name: object.metadata.name }
  const label = labelOf(kind, ref.name)
  const lastApplied = `${JSON.stringify(withoutLastApplied(object))}\n`
  const wanted = annotated(object, lastApplied)
  const write = { fieldManager: options.fieldManager, fieldValidation: 'Strict' } as const
  const current = await orUndefined(client.get(kind, ref))
  if (!current) {
    try {
      await client.create(kind, wanted, write)
      return { label, outcome: 'created' }
    } catch (error) {
      // Somebody was faster: patch theirs.
      if (!isAlreadyExists(error)) throw error
      return applyManifest(client, manifest, options)
    }
  }
  const before = current.metadata.annotations?.[LAST_APPLIED]
  if (before === lastApplied) return { label, outcome: 'unchanged' }
  const value = overlay(removals(parseJson(before), object), wanted)
  await client.patch(kind, ref, { type: 'merge', value }, write)
  return { label, outcome: 'configured' }
}

/** The kind and the object in its namespace; throws `UserError` for what is not served or has no name. */
export const identify = (
  { origin, object }: Manifest,
  namespace: string,
): { readonly kind: Kind; readonly object: KubeObject } => {
  const kind = scheme.find((candidate) => apiVersionOf(candidate) === object['apiVersion'] && candidate.kind === object['kind'])
  if (!kind) throw new UserError(`${origin}: no matches for kind "${object['kind']}" in version "${object['apiVersion']}"`)
  const metadata = object['metadata']
  const name = isRecord(metadata) ? metadata['name'] : undefined
  if (!isRecord(metadata) || typeof name !== 'string' || name === '') throw new UserError(`${origin}: metadata.name is missing`)
  const given = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : namespace
  const placed = { ...object, metadata: { ...metadata, namespace: kind.namespaced ? given : undefined } }
  // The server checks the rest; apiVersion, kind and metadata.name were checked here.
  return { kind, object: placed as unknown as KubeObject }
}

/** `service/web`, or `ingress.networking.k8s.io/web`. */
export const labelOf = (kind: Kind, name: string): string =>
  `${kind.singular}${kind.group === '' ? '' : `.${kind.group}`}/${name}`

const annotated = (object: KubeObject, lastApplied: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [LAST_APPLIED]: lastApplied } },
})

const withoutLastApplied = (object: KubeObject): KubeObject => {
  const annotations = Object.entries(object.metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED)
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(annotations) } }
}

type Json = Readonly<Record<string, unknown>>

/** A merge patch that deletes what `before` had and `after` has not. */
const removals = (before: unknown, after: unknown): Json => {
  if (!isRecord(before) || !isRecord(after)) return {}
  const entries = Object.entries(before).flatMap(([key, value]): readonly (readonly [string, unknown])[] => {
    if (!Object.hasOwn(after, key)) return [[key, null]]
    const inner = removals(value, after[key])
    return Object.keys(inner).length > 0 ? [[key, inner]] : []
  })
  return Object.fromEntries(entries)
}

/** `top` over `base`, object by object. */
const overlay = (base: Json, top: unknown): Json => {
  if (!isRecord(top)) return base
  const merged = Object.entries(top).map(([key, value]) => {
    const under = base[key]
    return [key, isRecord(value) && isRecord(under) ? { ...under, ...overlay(under, value) } : value] as const
  })
  return { ...base, ...Object.fromEntries(merged) }
}

const parseJson = (text: string | undefined): unknown => {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // An annotation that somebody broke: nothing is known of the last apply.
    return undefined
  }
}

/** The result, or undefined when the object does not exist. */
export const orUndefined = async <T>(result: Promise<T>): Promise<T | undefined> => {
  try {
    return await result
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
