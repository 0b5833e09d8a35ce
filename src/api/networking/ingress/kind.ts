import type { Kind } from '../../kind.ts'
import { ingressColumns } from './columns.ts'
import { type Ingress, ingressSchema } from './schema.ts'

export const ingressKind: Kind<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  singular: 'ingress',
  shortNames: ['ing'],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: ingressSchema,
  columns: ingressColumns,
  subresources: new Set(['status']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
