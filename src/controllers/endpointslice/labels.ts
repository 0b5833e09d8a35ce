import type { Service } from '../../api/index.ts'
import { SERVICE_NAME_LABEL } from '../../model/index.ts'

export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
export const MANAGED_BY = 'endpointslice-controller.k8s.io'
export const HEADLESS_LABEL = 'service.kubernetes.io/headless'
/** RFC 3339: when the oldest change happened that a write carries; consumers measure the programming latency by it. */
export const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

const RESERVED: ReadonlySet<string> = new Set([SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL])

/** The labels of a Service's slices: its own, without those that mean something on a slice, and ours. */
export const sliceLabels = ({ metadata, spec }: Service, managedBy = MANAGED_BY): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !RESERVED.has(key))),
  [SERVICE_NAME_LABEL]: metadata.name,
  [MANAGED_BY_LABEL]: managedBy,
  ...(spec.clusterIP === 'None' ? { [HEADLESS_LABEL]: '' } : {}),
})
