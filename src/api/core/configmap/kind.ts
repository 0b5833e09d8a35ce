import type { Kind } from '../../kind.ts'
import { configMapColumns } from './columns.ts'
import { type ConfigMap, configMapSchema } from './schema.ts'
import { validateConfigMap } from './validation.ts'

export const configMapKind: Kind<ConfigMap> = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: configMapSchema,
  columns: configMapColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {} }),
  validate: validateConfigMap,
}
