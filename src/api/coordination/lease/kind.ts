import type { Kind } from '../../kind.ts'
import { type Lease, leaseSchema } from './schema.ts'

export const leaseKind: Kind<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  shortNames: [],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: leaseSchema,
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
