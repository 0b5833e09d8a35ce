import type { Kind } from '../../kind.ts'
import { nodeColumns } from './columns.ts'
import { setNodeDefaults } from './defaults.ts'
import { type Node, nodeSchema } from './schema.ts'
import { validateNode } from './validation.ts'

export const nodeKind: Kind<Node> = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  categories: [],
  namespaced: false,
  nameRule: 'dns1123Subdomain',
  schema: nodeSchema,
  columns: nodeColumns,
  subresources: new Set(['status']),
  selectableFields: [{ path: 'spec.unschedulable', read: ({ spec }) => String(spec.unschedulable ?? false) }],
  setDefaults: setNodeDefaults,
  validate: validateNode,
}
