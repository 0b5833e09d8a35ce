import type { Kind } from '../../kind.ts'
import { tkeServiceConfigColumns } from './columns.ts'
import { type TkeServiceConfig, tkeServiceConfigSchema } from './schema.ts'
import { validateTkeServiceConfig } from './validation.ts'

/** Of Tencent's TKE; in other clusters a CustomResourceDefinition. */
export const tkeServiceConfigKind: Kind<TkeServiceConfig> = {
  group: 'cloud.tencent.com',
  version: 'v1alpha1',
  kind: 'TkeServiceConfig',
  plural: 'tkeserviceconfigs',
  singular: 'tkeserviceconfig',
  shortNames: [],
  categories: [],
  namespaced: true,
  nameRule: 'dns1123Subdomain',
  schema: tkeServiceConfigSchema,
  columns: tkeServiceConfigColumns,
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} }),
  validate: validateTkeServiceConfig,
}
