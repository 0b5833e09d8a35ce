import { type Infer, list, map, object, oneOf, optional, required, string } from '../../schema/index.ts'

export const labelSelectorRequirementSchema = object('LabelSelectorRequirement', {
  key: required(1, string()),
  operator: required(2, oneOf('In', 'NotIn', 'Exists', 'DoesNotExist')),
  values: optional(3, list(string(), { type: 'atomic' })),
})
export type LabelSelectorRequirement = Infer<typeof labelSelectorRequirementSchema>

export const labelSelectorSchema = object(
  'LabelSelector',
  {
    matchLabels: optional(1, map(string())),
    matchExpressions: optional(2, list(labelSelectorRequirementSchema, { type: 'atomic' })),
  },
  { atomic: true },
)
export type LabelSelector = Infer<typeof labelSelectorSchema>
