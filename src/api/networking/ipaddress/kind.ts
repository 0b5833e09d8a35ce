import type { Kind } from '../../kind.ts'
import { ipAddressColumns } from './columns.ts'
import { type IPAddress, ipAddressSchema } from './schema.ts'
import { validateIPAddress } from './validation.ts'

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
  columns: ipAddressColumns,
  subresources: new Set([]),
  selectableFields: [
    { path: 'spec.parentRef.group', read: ({ spec }) => spec.parentRef?.group ?? '' },
    { path: 'spec.parentRef.resource', read: ({ spec }) => spec.parentRef?.resource ?? '' },
    { path: 'spec.parentRef.namespace', read: ({ spec }) => spec.parentRef?.namespace ?? '' },
    { path: 'spec.parentRef.name', read: ({ spec }) => spec.parentRef?.name ?? '' },
  ],
  setDefaults: (object) => ({ ...object, metadata: object.metadata ?? {}, spec: object.spec ?? {} }),
  validate: validateIPAddress,
}
