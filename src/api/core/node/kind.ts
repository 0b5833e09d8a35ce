import type { Kind } from '../../kind.ts'
import { type Node, nodeSchema } from './schema.ts'

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
  columns: [],
  subresources: new Set(['status']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
