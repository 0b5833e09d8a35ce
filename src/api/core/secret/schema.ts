import { always, boolean, bytes, type Infer, map, object, optional, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const secretSchema = object(
  'Secret',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    data: optional(2, map(bytes())),
    type: optional(3, string()),
    stringData: optional(4, map(string())),
    immutable: optional(5, boolean()),
  },
  { doc: 'Confidential values by key, for pods and Ingresses to use.' },
)
export type Secret = Infer<typeof secretSchema>
