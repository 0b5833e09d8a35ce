import type { Kind } from '../../kind.ts'
import { endpointSliceColumns } from './columns.ts'
import { setEndpointSliceDefaults } from './defaults.ts'
import { type EndpointSlice, endpointSliceSchema } from './schema.ts'
import { validateEndpointSlice } from './validation.ts'

export const endpointSliceKind: Kind<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  shortNames: [],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: endpointSliceSchema,
  columns: endpointSliceColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: setEndpointSliceDefaults,
  validate: validateEndpointSlice,
}
