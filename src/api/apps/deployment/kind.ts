import type { Kind } from '../../kind.ts'
import { type Deployment, deploymentSchema } from './schema.ts'

export const deploymentKind: Kind<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: deploymentSchema,
  columns: [],
  subresources: new Set(['status', 'scale']),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
