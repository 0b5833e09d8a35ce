import type { Container, Pod } from '../../api/index.ts'

/** What the downward API may tell beyond the pod object. */
export interface FieldContext {
  readonly podIP: string
  readonly hostIP: string
}

/** The value of a downward API `fieldPath`; undefined for one that Kubernetes does not know. Pure. */
export const fieldValue = (pod: Pod, fieldPath: string, context: FieldContext): string | undefined => {
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath)
  if (subscript) {
    const map = pod.metadata[subscript[1] === 'labels' ? 'labels' : 'annotations'] ?? {}
    const key = subscript[2] ?? ''
    return Object.hasOwn(map, key) ? map[key] : ''
  }
  const read = Object.hasOwn(FIELDS, fieldPath) ? FIELDS[fieldPath] : undefined
  return read?.(pod, context)
}

const FIELDS: Readonly<Record<string, (pod: Pod, context: FieldContext) => string>> = {
  'metadata.name': (pod) => pod.metadata.name,
  'metadata.namespace': (pod) => pod.metadata.namespace ?? '',
  'metadata.uid': (pod) => pod.metadata.uid ?? '',
  'metadata.labels': (pod) => mapText(pod.metadata.labels),
  'metadata.annotations': (pod) => mapText(pod.metadata.annotations),
  'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
  'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
  'status.podIP': (_pod, context) => context.podIP,
  'status.podIPs': (_pod, context) => context.podIP,
  'status.hostIP': (_pod, context) => context.hostIP,
  'status.hostIPs': (_pod, context) => context.hostIP,
}

/** As the downward API's volume writes a map: `key="value"` lines, sorted. */
const mapText = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')

/** What the machine has where a container sets no limit. */
export interface MachineSize {
  readonly cpus: number
  readonly memoryBytes: number
}

/** The value of a `resourceFieldRef`: limits fall back to the machine, requests to 0; rounded up to the divisor. Pure. */
export const resourceValue = (container: Container, reference: ResourceReference, machine: MachineSize): string | undefined => {
  const [side, ...rest] = reference.resource.split('.')
  const resource = rest.join('.')
  if ((side !== 'limits' && side !== 'requests') || resource === '') return undefined
  const given = container.resources?.[side] ?? {}
  const amount = Object.hasOwn(given, resource) ? parseQuantity(String(given[resource])) : fallback(side, resource, machine)
  const divisor = parseQuantity(String(reference.divisor ?? '1')) || 1
  return amount === undefined ? undefined : String(Math.ceil(amount / divisor))
}

export interface ResourceReference {
  readonly resource: string
  readonly divisor?: string | number
}

const fallback = (side: 'limits' | 'requests', resource: string, machine: MachineSize): number | undefined => {
  if (resource === 'cpu') return side === 'limits' ? machine.cpus : 0
  if (resource === 'memory') return side === 'limits' ? machine.memoryBytes : 0
  return resource === 'ephemeral-storage' ? 0 : undefined
}

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A resource.Quantity as a number; undefined when it isn't one. */
export const parseQuantity = (text: string): number | undefined => {
  const parts = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(text)
  const suffix = parts?.[2] ?? ''
  if (parts === null || !Object.hasOwn(SUFFIXES, suffix)) return undefined
  return Number(parts[1]) * (SUFFIXES[suffix] ?? 1)
}
