import { always, boolean, bytes, type Infer, map, object, optional, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

export const configMapSchema = object(
  'ConfigMap',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    data: optional(2, map(string())),
    binaryData: optional(3, map(bytes())),
    immutable: optional(4, boolean()),
  },
  { doc: 'Configuration as keys and values, for pods to use.' },
)
export type ConfigMap = Infer<typeof configMapSchema>
