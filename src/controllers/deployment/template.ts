import { type Deployment, type PodTemplateSpec, type ReplicaSet, sameValue } from '../../api/index.ts'

export const TEMPLATE_HASH_LABEL = 'pod-template-hash'

/** No vowels and no look-alikes: the hash is part of names. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

/** Names the template of a Deployment; `collisionCount` makes it another one when the name is taken. */
export const templateHash = (template: PodTemplateSpec, collisionCount = 0): string => {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(`${canonical(template)}${collisionCount || ''}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  let text = ''
  for (let left = hash, digits = 0; digits < 7; digits++, left = Math.floor(left / ALPHABET.length))
    text += ALPHABET[left % ALPHABET.length]
  return text
}

/** The ReplicaSet whose pods are what the Deployment asks for now; the oldest, when there are several. */
export const findCurrent = ({ spec }: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  [...replicaSets].sort(byCreation).find((replicaSet) => sameTemplate(spec.template, replicaSet.spec.template))

/** Whether two templates make the same pods. */
export const sameTemplate = (a: PodTemplateSpec, b: PodTemplateSpec | undefined): boolean =>
  b !== undefined && sameValue(withoutHash(a), withoutHash(b))

export const byCreation = (a: ReplicaSet, b: ReplicaSet): number => {
  const [left = '', right = ''] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`)
  return left < right ? -1 : Number(left > right)
}

const withoutHash = (template: PodTemplateSpec): PodTemplateSpec => {
  const { [TEMPLATE_HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {}
  const { creationTimestamp: __, ...metadata } = template.metadata ?? { name: '' }
  return { ...template, metadata: { ...metadata, name: '', labels } }
}

/** JSON with sorted keys: the order of properties names no other template. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entry]) => `${JSON.stringify(key)}:${canonical(entry)}`)
    .join()}}`
}
