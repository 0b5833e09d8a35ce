import type { Kind } from '../../kind.ts'
import { replicaSetColumns } from './columns.ts'
import { setReplicaSetDefaults } from './defaults.ts'
import { type ReplicaSet, replicaSetSchema } from './schema.ts'
import { validateReplicaSet } from './validation.ts'

export const replicaSetKind: Kind<ReplicaSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: replicaSetSchema,
  columns: replicaSetColumns,
  subresources: new Set(['status', 'scale']),
  selectableFields: [{ path: 'status.replicas', read: ({ status }) => String(status?.replicas ?? 0) }],
  setDefaults: setReplicaSetDefaults,
  validate: validateReplicaSet,
}
