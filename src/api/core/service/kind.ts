import type { Kind } from '../../kind.ts'
import { serviceColumns } from './columns.ts'
import { setServiceDefaults } from './defaults.ts'
import { type Service, serviceSchema } from './schema.ts'
import { validateService } from './validation.ts'
import { serviceWarnings } from './warnings.ts'

export const serviceKind: Kind<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'dns1035Label',
  schema: serviceSchema,
  columns: serviceColumns,
  subresources: new Set(['status']),
  selectableFields: [
    { path: 'spec.clusterIP', read: ({ spec }) => spec.clusterIP ?? '' },
    { path: 'spec.type', read: ({ spec }) => spec.type ?? '' },
  ],
  setDefaults: setServiceDefaults,
  validate: validateService,
  warnings: serviceWarnings,
}
