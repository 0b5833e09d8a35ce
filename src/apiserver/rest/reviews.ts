import {
  type SelfSubjectAccessReview,
  type SelfSubjectReview,
  type SelfSubjectRulesReview,
  selfSubjectAccessReviewSchema,
  selfSubjectReviewSchema,
  selfSubjectRulesReviewSchema,
} from '../../api/index.ts'
import type { ApiAnswer, ApiRequest } from '../../client/index.ts'
import type { Schema } from '../../schema/index.ts'
import { type Access, objectAnswer, type RestContext } from './context.ts'
import { decodeBody } from './decode.ts'
import { writeOptions } from './options.ts'

/** A question about the asking user: POSTed, answered, never stored. */
export interface Review {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly schema: Schema<unknown>
  answer(context: RestContext, request: ApiRequest, body: unknown): unknown
}

const accessReview: Review = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
  schema: selfSubjectAccessReviewSchema,
  answer(context, request, body) {
    // decodeBody checked it by the schema above; so for the others.
    const review = body as SelfSubjectAccessReview
    const allowed = context.authorize(request.user, accessOf(review))
    return { ...review, status: { allowed } }
  },
}

const accessOf = ({ spec }: SelfSubjectAccessReview): Access => {
  const { resourceAttributes, nonResourceAttributes } = spec
  if (resourceAttributes === undefined) {
    return { verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' }
  }
  const { verb = '', group = '', resource = '', subresource, namespace, name } = resourceAttributes
  return {
    verb,
    group,
    resource,
    ...(subresource ? { subresource } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  }
}

const rulesReview: Review = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectrulesreviews',
  kind: 'SelfSubjectRulesReview',
  schema: selfSubjectRulesReviewSchema,
  answer(context, request, body) {
    const isAdmin = context.authorize(request.user, { verb: '*', group: '*', resource: '*' })
    const everything = ['*']
    return {
      ...(body as SelfSubjectRulesReview),
      status: {
        resourceRules: isAdmin
          ? [{ verbs: everything, apiGroups: everything, resources: everything }]
          : [{ verbs: ['create'], apiGroups: ['authorization.k8s.io', 'authentication.k8s.io'], resources: SELF_REVIEWS }],
        nonResourceRules: [{ verbs: isAdmin ? everything : ['get'], nonResourceURLs: isAdmin ? everything : [...OPEN_PATHS] }],
        incomplete: false,
      },
    }
  },
}

const SELF_REVIEWS = ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews']

/** What everyone who is known may read (Kubernetes' role system:discovery). */
export const OPEN_PATHS: readonly string[] = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
]

const userReview: Review = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  schema: selfSubjectReviewSchema,
  answer: (context, request, body) => ({
    ...(body as SelfSubjectReview),
    metadata: { creationTimestamp: new Date(context.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z') },
    status: { userInfo: { username: request.user.name, groups: request.user.groups } },
  }),
}

/** Every review that is served. */
export const reviews: readonly Review[] = [accessReview, rulesReview, userReview]

/** The review at these coordinates. */
export const findReview = (group: string, version: string, plural: string): Review | undefined =>
  reviews.find((review) => review.group === group && review.version === version && review.plural === plural)

/** POST of a review. */
export const review = (context: RestContext, request: ApiRequest, target: Review): ApiAnswer => {
  const expected = { apiVersion: `${target.group}/${target.version}`, kind: target.kind, schema: target.schema }
  const { object, warnings } = decodeBody(expected, request.body, writeOptions(request, 'CreateOptions'))
  return objectAnswer(target.answer(context, request, object), 201, warnings)
}
