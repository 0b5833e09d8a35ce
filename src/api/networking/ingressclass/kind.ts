import type { Kind } from '../../kind.ts'
import { type IngressClass, ingressClassSchema } from './schema.ts'

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
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
