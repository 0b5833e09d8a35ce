import type { Kind } from '../../kind.ts'
import { leaseColumns } from './columns.ts'
import { type Lease, leaseSchema } from './schema.ts'
import { validateLease } from './validation.ts'

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
  columns: leaseColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} }),
  validate: validateLease,
}
