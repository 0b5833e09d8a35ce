import { always, type Infer, list, map, object, optional, string } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const userInfoSchema = object('UserInfo', {
  username: optional(1, string()),
  uid: optional(2, string()),
  groups: optional(3, list(string(), { type: 'atomic' })),
  extra: optional(4, map(list(string()))),
})
export type UserInfo = Infer<typeof userInfoSchema>

const selfSubjectReviewStatusSchema = object('SelfSubjectReviewStatus', {
  userInfo: optional(1, userInfoSchema),
})
export type SelfSubjectReviewStatus = Infer<typeof selfSubjectReviewStatusSchema>

export const selfSubjectReviewSchema = object('SelfSubjectReview', {
  ...typeMeta,
  metadata: always(1, objectMetaSchema),
  status: optional(2, selfSubjectReviewStatusSchema),
})
export type SelfSubjectReview = Infer<typeof selfSubjectReviewSchema>
