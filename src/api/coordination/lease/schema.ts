import { always, type Infer, int32, microTime, object, optional, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const leaseSpecSchema = object('LeaseSpec', {
  holderIdentity: optional(1, string()),
  leaseDurationSeconds: optional(2, int32()),
  acquireTime: optional(3, microTime()),
  renewTime: optional(4, microTime()),
  leaseTransitions: optional(5, int32()),
  strategy: optional(6, string()),
  preferredHolder: optional(7, string()),
})
export type LeaseSpec = Infer<typeof leaseSpecSchema>

export const leaseSchema = object(
  'Lease',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, leaseSpecSchema),
  },
  { doc: 'Who holds a role, and until when.' },
)
export type Lease = Infer<typeof leaseSchema>
