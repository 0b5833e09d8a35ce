import { always, any, boolean, type Infer, list, object, optional, required, string } from '../../../schema/index.ts'
import { labelSelectorRequirementSchema } from '../../meta/label-selector.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const fieldSelectorAttributesSchema = object('FieldSelectorAttributes', {
  rawSelector: optional(1, string()),
  requirements: optional(2, list(any(), { type: 'atomic' })),
})
export type FieldSelectorAttributes = Infer<typeof fieldSelectorAttributesSchema>

const labelSelectorAttributesSchema = object('LabelSelectorAttributes', {
  rawSelector: optional(1, string()),
  requirements: optional(2, list(labelSelectorRequirementSchema, { type: 'atomic' })),
})
export type LabelSelectorAttributes = Infer<typeof labelSelectorAttributesSchema>

const resourceAttributesSchema = object('ResourceAttributes', {
  namespace: optional(1, string()),
  verb: optional(2, string()),
  group: optional(3, string()),
  version: optional(4, string()),
  resource: optional(5, string()),
  subresource: optional(6, string()),
  name: optional(7, string()),
  fieldSelector: optional(8, fieldSelectorAttributesSchema),
  labelSelector: optional(9, labelSelectorAttributesSchema),
})
export type ResourceAttributes = Infer<typeof resourceAttributesSchema>

const nonResourceAttributesSchema = object('NonResourceAttributes', {
  path: optional(1, string()),
  verb: optional(2, string()),
})
export type NonResourceAttributes = Infer<typeof nonResourceAttributesSchema>

const selfSubjectAccessReviewSpecSchema = object('SelfSubjectAccessReviewSpec', {
  resourceAttributes: optional(1, resourceAttributesSchema),
  nonResourceAttributes: optional(2, nonResourceAttributesSchema),
})
export type SelfSubjectAccessReviewSpec = Infer<typeof selfSubjectAccessReviewSpecSchema>

const subjectAccessReviewStatusSchema = object('SubjectAccessReviewStatus', {
  allowed: required(1, boolean()),
  reason: optional(2, string()),
  evaluationError: optional(3, string()),
  denied: optional(4, boolean()),
})
export type SubjectAccessReviewStatus = Infer<typeof subjectAccessReviewStatusSchema>

export const selfSubjectAccessReviewSchema = object('SelfSubjectAccessReview', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, selfSubjectAccessReviewSpecSchema),
  status: optional(3, subjectAccessReviewStatusSchema),
})
export type SelfSubjectAccessReview = Infer<typeof selfSubjectAccessReviewSchema>
