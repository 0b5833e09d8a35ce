import type { Kind } from '../../kind.ts'
import { podColumns } from './columns.ts'
import { setPodDefaults } from './defaults.ts'
import { type Pod, podSchema } from './schema.ts'
import { validatePod } from './validation.ts'

export const podKind: Kind<Pod> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: podSchema,
  columns: podColumns,
  subresources: new Set(['status', 'log', 'exec']),
  selectableFields: [
    { path: 'spec.nodeName', read: ({ spec }) => spec.nodeName ?? '' },
    { path: 'spec.restartPolicy', read: ({ spec }) => spec.restartPolicy ?? '' },
    { path: 'spec.schedulerName', read: ({ spec }) => spec.schedulerName ?? '' },
    { path: 'spec.serviceAccountName', read: ({ spec }) => spec.serviceAccountName ?? '' },
    { path: 'spec.hostNetwork', read: ({ spec }) => String(spec.hostNetwork ?? false) },
    { path: 'status.phase', read: ({ status }) => status?.phase ?? '' },
    { path: 'status.podIP', read: ({ status }) => status?.podIP ?? '' },
    { path: 'status.podIPs', read: ({ status }) => status?.podIPs?.[0]?.ip ?? '' },
    { path: 'status.nominatedNodeName', read: ({ status }) => status?.nominatedNodeName ?? '' },
  ],
  setDefaults: setPodDefaults,
  validate: validatePod,
}
