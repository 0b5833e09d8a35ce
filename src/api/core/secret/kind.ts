import type { Kind } from '../../kind.ts'
import { secretColumns } from './columns.ts'
import { setSecretDefaults } from './defaults.ts'
import { type Secret, secretSchema } from './schema.ts'
import { validateSecret } from './validation.ts'

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
  columns: secretColumns,
  subresources: new Set([]),
  selectableFields: [{ path: 'type', read: ({ type }) => type ?? '' }],
  setDefaults: setSecretDefaults,
  validate: validateSecret,
}
