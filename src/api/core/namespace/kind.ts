import type { Kind } from '../../kind.ts'
import { type Namespace, namespaceSchema } from './schema.ts'

export const namespaceKind: Kind<Namespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  namespaced: false,
  nameRule: 'dns1123Label',
  schema: namespaceSchema,
  columns: [],
  subresources: new Set(['status', 'finalize']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
