import type { Kind } from '../../kind.ts'
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
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
