import type { Kind } from '../../kind.ts'
import { deploymentColumns } from './columns.ts'
import { setDeploymentDefaults } from './defaults.ts'
import { type Deployment, deploymentSchema } from './schema.ts'
import { validateDeployment } from './validation.ts'

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
  columns: deploymentColumns,
  subresources: new Set(['status', 'scale']),
  selectableFields: [],
  setDefaults: setDeploymentDefaults,
  validate: validateDeployment,
}
