import type { Kind } from '../../kind.ts'
import { ingressClassColumns } from './columns.ts'
import { setIngressClassDefaults } from './defaults.ts'
import { type IngressClass, ingressClassSchema } from './schema.ts'
import { validateIngressClass } from './validation.ts'

export const ingressClassKind: Kind<IngressClass> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  singular: 'ingressclass',
  shortNames: [],
  categories: [],
  namespaced: false,
  nameRule: 'dns1123Subdomain',
  schema: ingressClassSchema,
  columns: ingressClassColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: setIngressClassDefaults,
  validate: validateIngressClass,
}
