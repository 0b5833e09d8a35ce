import type { Kind } from '../../kind.ts'
import { endpointsColumns } from './columns.ts'
import { setEndpointsDefaults } from './defaults.ts'
import { type Endpoints, endpointsSchema } from './schema.ts'
import { endpointsWarnings, validateEndpoints } from './validation.ts'

export const endpointsKind: Kind<Endpoints> = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: endpointsSchema,
  columns: endpointsColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: setEndpointsDefaults,
  validate: validateEndpoints,
  warnings: endpointsWarnings,
}
