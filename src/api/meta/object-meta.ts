import {
  always,
  any,
  boolean,
  type Infer,
  int64,
  list,
  map,
  object,
  optional,
  required,
  type Schema,
  string,
  time,
} from '../../schema/index.ts'

const ownerReferenceSchema = object(
  'OwnerReference',
  {
    kind: required(1, string()),
    name: required(3, string()),
    uid: required(4, string()),
    apiVersion: required(5, string()),
    controller: optional(6, boolean()),
    blockOwnerDeletion: optional(7, boolean()),
  },
  { atomic: true },
)
export type OwnerReference = Infer<typeof ownerReferenceSchema>

const managedFieldsEntrySchema = object('ManagedFieldsEntry', {
  manager: optional(1, string()),
  operation: optional(2, string()),
  apiVersion: optional(3, string()),
  time: optional(4, time()),
  fieldsType: optional(6, string()),
  fieldsV1: optional(7, any()),
  subresource: optional(8, string()),
})
export type ManagedFieldsEntry = Infer<typeof managedFieldsEntrySchema>

export const objectMetaSchema = object('ObjectMeta', {
  name: always(1, string()),
  generateName: optional(2, string()),
  namespace: optional(3, string()),
  selfLink: optional(4, string()),
  uid: optional(5, string()),
  resourceVersion: optional(6, string()),
  generation: optional(7, int64()),
  creationTimestamp: optional(8, time()),
  deletionTimestamp: optional(9, time()),
  deletionGracePeriodSeconds: optional(10, int64()),
  labels: optional(11, map(string())),
  annotations: optional(12, map(string())),
  ownerReferences: optional(13, list(ownerReferenceSchema, { type: 'map', keys: ['uid'], mergeKey: 'uid', patch: 'merge' })),
  finalizers: optional(14, list(string(), { type: 'set', patch: 'merge' })),
  managedFields: optional(17, list(managedFieldsEntrySchema, { type: 'atomic' })),
})
export type ObjectMeta = Infer<typeof objectMetaSchema>

/** The metadata of a template: the same on the wire, but it has no name until it becomes an object. */
export const templateMetaSchema: Schema<Partial<ObjectMeta>> = { node: objectMetaSchema.node }

export const listMetaSchema = object('ListMeta', {
  selfLink: optional(1, string()),
  resourceVersion: optional(2, string()),
  continue: optional(3, string()),
  remainingItemCount: optional(4, int64()),
})
export type ListMeta = Infer<typeof listMetaSchema>
