import type { Kind } from '../../kind.ts'
import { serviceCIDRColumns } from './columns.ts'
import { type ServiceCIDR, serviceCIDRSchema } from './schema.ts'
import { validateServiceCIDR } from './validation.ts'

export const serviceCIDRKind: Kind<ServiceCIDR> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  singular: 'servicecidr',
  shortNames: [],
  categories: [],
  namespaced: false,
  nameRule: 'dns1123Subdomain',
  schema: serviceCIDRSchema,
  columns: serviceCIDRColumns,
  subresources: new Set(['status']),
  selectableFields: [],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} }),
  validate: validateServiceCIDR,
}
