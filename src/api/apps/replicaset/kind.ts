import type { Kind } from '../../kind.ts'
import { type ReplicaSet, replicaSetSchema } from './schema.ts'

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
  columns: [],
  subresources: new Set(['status', 'scale']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
