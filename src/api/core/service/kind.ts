import type { Kind } from '../../kind.ts'
import { type Service, serviceSchema } from './schema.ts'

export const serviceKind: Kind<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  schema: serviceSchema,
  columns: [],
  subresources: new Set(['status']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
