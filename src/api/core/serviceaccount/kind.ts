import type { Kind } from '../../kind.ts'
import { serviceAccountColumns } from './columns.ts'
import { type ServiceAccount, serviceAccountSchema } from './schema.ts'

export const serviceAccountKind: Kind<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: serviceAccountSchema,
  columns: serviceAccountColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {} }),
  validate: () => [],
}
