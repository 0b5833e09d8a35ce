import { always, boolean, type Infer, list, object, optional, required, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const selfSubjectRulesReviewSpecSchema = object('SelfSubjectRulesReviewSpec', {
  namespace: optional(1, string()),
})
export type SelfSubjectRulesReviewSpec = Infer<typeof selfSubjectRulesReviewSpecSchema>

const resourceRuleSchema = object('ResourceRule', {
  verbs: required(1, list(string(), { type: 'atomic' })),
  apiGroups: optional(2, list(string(), { type: 'atomic' })),
  resources: optional(3, list(string(), { type: 'atomic' })),
  resourceNames: optional(4, list(string(), { type: 'atomic' })),
})
export type ResourceRule = Infer<typeof resourceRuleSchema>

const nonResourceRuleSchema = object('NonResourceRule', {
  verbs: required(1, list(string(), { type: 'atomic' })),
  nonResourceURLs: optional(2, list(string(), { type: 'atomic' })),
})
export type NonResourceRule = Infer<typeof nonResourceRuleSchema>

const subjectRulesReviewStatusSchema = object('SubjectRulesReviewStatus', {
  resourceRules: required(1, list(resourceRuleSchema, { type: 'atomic' })),
  nonResourceRules: required(2, list(nonResourceRuleSchema, { type: 'atomic' })),
  incomplete: required(3, boolean()),
  evaluationError: optional(4, string()),
})
export type SubjectRulesReviewStatus = Infer<typeof subjectRulesReviewStatusSchema>

export const selfSubjectRulesReviewSchema = object('SelfSubjectRulesReview', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  spec: always(2, selfSubjectRulesReviewSpecSchema),
  status: optional(3, subjectRulesReviewStatusSchema),
})
export type SelfSubjectRulesReview = Infer<typeof selfSubjectRulesReviewSchema>
