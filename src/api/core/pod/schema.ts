import { always, type Infer, object, optional } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'
import { podSpecSchema } from './pod-spec.ts'
import { podStatusSchema } from './pod-status.ts'

export const podSchema = object(
  'Pod',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, podSpecSchema),
    status: optional(3, podStatusSchema),
  },
  { doc: 'Containers that run together on one node and share an address.' },
)
export type Pod = Infer<typeof podSchema>
