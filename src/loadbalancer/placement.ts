import type { Service } from '../api/index.ts'
import type { Placement } from './provider.ts'

/** Upstream's finalizer of Services with a load balancer. */
export const CLEANUP_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup'
/** Where a Service remembers its load balancer, as JSON. */
export const PLACEMENT_ANNOTATION = 'loadbalancer.fairway.dev/placement'

/** Undefined when there is none, or when somebody wrote something else there. */
export const placementOf = ({ metadata }: Pick<Service, 'metadata'>): Placement | undefined => {
  const text = metadata.annotations?.[PLACEMENT_ANNOTATION]
  if (text === undefined) return undefined
  const value = parse(text)
  if (typeof value !== 'object' || value === null) return undefined
  const { provider, key, token } = value as Readonly<Record<string, unknown>>
  if (!isText(provider) || !isText(key) || !isText(token)) return undefined
  return { provider, key, token }
}

export const formatPlacement = ({ provider, key, token }: Placement): string => JSON.stringify({ provider, key, token })

export const hasFinalizer = ({ metadata }: Pick<Service, 'metadata'>): boolean =>
  (metadata.finalizers ?? []).includes(CLEANUP_FINALIZER)

const isText = (value: unknown): value is string => typeof value === 'string' && /^[!-~]{1,200}$/.test(value)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
