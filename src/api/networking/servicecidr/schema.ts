import { always, type Infer, list, object, optional, string } from '../../../schema/index.ts'
import { conditionSchema } from '../../meta/condition.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const serviceCIDRSpecSchema = object('ServiceCIDRSpec', {
  cidrs: optional(
    1,
    list(string(), { type: 'atomic' }),
    'Ranges from which Services get their addresses: one, or one of each family.',
  ),
})
export type ServiceCIDRSpec = Infer<typeof serviceCIDRSpecSchema>

const serviceCIDRStatusSchema = object('ServiceCIDRStatus', {
  conditions: optional(
    1,
    list(conditionSchema, { type: 'map', keys: ['type'], mergeKey: 'type', patch: 'merge' }),
    'Whether the ranges are in use.',
  ),
})
export type ServiceCIDRStatus = Infer<typeof serviceCIDRStatusSchema>

export const serviceCIDRSchema = object(
  'ServiceCIDR',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    spec: always(2, serviceCIDRSpecSchema),
    status: optional(3, serviceCIDRStatusSchema),
  },
  { doc: 'Ranges of addresses from which Services get theirs.' },
)
export type ServiceCIDR = Infer<typeof serviceCIDRSchema>
