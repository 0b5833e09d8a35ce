/** What must be known of a load balancer after a crash, on the Service itself. */
export interface LoadBalancerRecord {
  /** Of the life that it belongs to; a record of another life counts as none. */
  readonly token: string
  readonly id?: string
  /** What CreateLoadBalancer was, or is to be, called with. */
  readonly create?: Readonly<Record<string, unknown>> | undefined
}

export const RECORD_ANNOTATION = 'loadbalancer.fairway.dev/tencent'
/** TKE's: for people and their tools; never read. */
export const ID_ANNOTATION = 'service.kubernetes.io/loadbalance-id'

type Annotations = Readonly<Record<string, string>>

/** The record of the life with this token. */
export const recordOf = (annotations: Annotations, token: string): LoadBalancerRecord | undefined => {
  const record = parse(annotations[RECORD_ANNOTATION])
  return record?.token === token ? record : undefined
}

/** Whether this life left a record: something may have been made. */
export const hasRecord = (annotations: Annotations, token: string): boolean => recordOf(annotations, token) !== undefined

export const formatRecord = ({ token, id, create }: LoadBalancerRecord): string =>
  JSON.stringify({ token, ...(id && { id }), ...(create && { create }) })

const parse = (text: string | undefined): LoadBalancerRecord | undefined => {
  if (text === undefined || text.length > 8_192) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    const { token, id, create } = value as Readonly<Record<string, unknown>>
    if (typeof token !== 'string') return undefined
    return {
      token,
      ...(typeof id === 'string' && /^lb-[a-z0-9-]{1,60}$/.test(id) ? { id } : {}),
      ...(typeof create === 'object' && create !== null ? { create: create as Readonly<Record<string, unknown>> } : {}),
    }
  } catch {
    return undefined
  }
}
