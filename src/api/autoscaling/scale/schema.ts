import { always, type Infer, int32, object, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const scaleSpecSchema = object('ScaleSpec', {
  replicas: optional(1, int32()),
})
export type ScaleSpec = Infer<typeof scaleSpecSchema>

const scaleStatusSchema = object('ScaleStatus', {
  replicas: required(1, int32()),
  selector: optional(2, string()),
})
export type ScaleStatus = Infer<typeof scaleStatusSchema>

export const scaleSchema = object(
  'Scale',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, scaleSpecSchema),
    status: optional(3, scaleStatusSchema),
  },
  { doc: 'The number of replicas of a workload, as its scale subresource shows it.' },
)
export type Scale = Infer<typeof scaleSchema>
