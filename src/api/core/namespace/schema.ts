import { always, type Infer, list, object, oneOf, optional, required, string, time } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const namespaceSpecSchema = object('NamespaceSpec', {
  finalizers: optional(1, list(string(), { type: 'atomic' })),
})
export type NamespaceSpec = Infer<typeof namespaceSpecSchema>

const namespaceConditionSchema = object('NamespaceCondition', {
  type: required(1, string()),
  status: required(2, oneOf('True', 'False', 'Unknown')),
  lastTransitionTime: optional(4, time()),
  reason: optional(5, string()),
  message: optional(6, string()),
})
export type NamespaceCondition = Infer<typeof namespaceConditionSchema>

const namespaceStatusSchema = object('NamespaceStatus', {
  phase: optional(1, oneOf('Active', 'Terminating')),
  conditions: optional(2, list(namespaceConditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' })),
})
export type NamespaceStatus = Infer<typeof namespaceStatusSchema>

export const namespaceSchema = object(
  'Namespace',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, namespaceSpecSchema),
    status: optional(3, namespaceStatusSchema),
  },
  { doc: 'A scope for names of objects; deleting it deletes what it holds.' },
)
export type Namespace = Infer<typeof namespaceSchema>
