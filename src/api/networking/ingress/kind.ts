import type { Kind } from '../../kind.ts'
import { ingressColumns } from './columns.ts'
import { type Ingress, ingressSchema } from './schema.ts'
import { validateIngress } from './validation.ts'
import { ingressWarnings } from './warnings.ts'

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
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} }),
  validate: validateIngress,
  warnings: ingressWarnings,
}
