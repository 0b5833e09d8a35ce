import type { Kind } from '../../kind.ts'
import { type IPAddress, ipAddressSchema } from './schema.ts'

export const ipAddressKind: Kind<IPAddress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  singular: 'ipaddress',
  shortNames: ['ip'],
  categories: [],
  namespaced: false,
  nameRule: 'ipAddress',
  schema: ipAddressSchema,
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
