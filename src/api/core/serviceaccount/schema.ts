import { always, boolean, type Infer, list, object, optional } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'
import { localObjectReferenceSchema, objectReferenceSchema } from '../reference.ts'

export const serviceAccountSchema = object(
  'ServiceAccount',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    secrets: optional(2, list(objectReferenceSchema, { type: 'map', keys: ['name'], mergeKey: 'name', patch: 'merge' })),
    imagePullSecrets: optional(3, list(localObjectReferenceSchema, { type: 'atomic' })),
    automountServiceAccountToken: optional(4, boolean()),
  },
  { doc: 'An identity for the processes of pods.' },
)
export type ServiceAccount = Infer<typeof serviceAccountSchema>
