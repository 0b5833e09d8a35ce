import { always, type Infer, int32, list, object, optional, string } from '../../schema/index.ts'
import { listMetaSchema } from './object-meta.ts'
import { typeMeta } from './type-meta.ts'

const statusCauseSchema = object('StatusCause', {
  reason: optional(1, string()),
  message: optional(2, string()),
  field: optional(3, string()),
})
export type StatusCause = Infer<typeof statusCauseSchema>

const statusDetailsSchema = object('StatusDetails', {
  name: optional(1, string()),
  group: optional(2, string()),
  kind: optional(3, string()),
  causes: optional(4, list(statusCauseSchema, { type: 'atomic' })),
  retryAfterSeconds: optional(5, int32()),
  uid: optional(6, string()),
})
export type StatusDetails = Infer<typeof statusDetailsSchema>

export const statusSchema = object('Status', {
  ...typeMeta,
  metadata: always(1, listMetaSchema),
  status: optional(2, string()),
  message: optional(3, string()),
  reason: optional(4, string()),
  details: optional(5, statusDetailsSchema),
  code: optional(6, int32()),
})
export type Status = Infer<typeof statusSchema>
