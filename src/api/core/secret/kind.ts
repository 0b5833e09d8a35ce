import type { Kind } from '../../kind.ts'
import { type Secret, secretSchema } from './schema.ts'

export const secretKind: Kind<Secret> = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  shortNames: [],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: secretSchema,
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
