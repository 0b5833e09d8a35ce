import type { Kind } from '../../kind.ts'
import { type Pod, podSchema } from './schema.ts'

export const podKind: Kind<Pod> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: podSchema,
  columns: [],
  subresources: new Set(['status', 'log', 'exec']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
