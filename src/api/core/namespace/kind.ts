import type { Kind } from '../../kind.ts'
import { namespaceColumns } from './columns.ts'
import { setNamespaceDefaults } from './defaults.ts'
import { type Namespace, namespaceSchema } from './schema.ts'
import { validateNamespace } from './validation.ts'

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
  columns: namespaceColumns,
  subresources: new Set(['status', 'finalize']),
  selectableFields: [{ path: 'status.phase', read: ({ status }) => status?.phase ?? '' }],
  setDefaults: setNamespaceDefaults,
  validate: validateNamespace,
}
