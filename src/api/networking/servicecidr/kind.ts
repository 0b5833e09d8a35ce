import type { Kind } from '../../kind.ts'
import { type ServiceCIDR, serviceCIDRSchema } from './schema.ts'

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
  columns: [],
  subresources: new Set(['status']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
