import type { Mirror, RoutePolicy, Template } from '../table/index.ts'
import { type Access, compileAccess } from './access.ts'
import { type AuthorizeOptions, compileAuthorize } from './authorize.ts'
import { compileCanaries } from './canary.ts'
import type { Answer, CompiledPolicy, RequestView } from './contract.ts'
import { type Cors, compileCors } from './cors.ts'
import { compileEdits } from './field-edits.ts'
import type { CompiledLimits, Limiter } from './limits/limits.ts'
import { fixedAnswer, refusal } from './own-answers.ts'
import { compileRedirects } from './redirect.ts'
import { compileCookieRewrite, compileLocationRewrite } from './response-rewriting.ts'
import { rewriteText } from './rewrite.ts'
import { compileSticky } from './sticky.ts'
import { fieldValue, keyText, urlText } from './template.ts'

export interface CompileOptions extends Omit<AuthorizeOptions, 'accessOf'> {
  readonly limiter: Limiter
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly random: () => number
}

type Decide = (request: RequestView) => Answer | undefined
type EditFields = NonNullable<CompiledPolicy['editResponse']>

/** @throws when something in the policy cannot be carried out. */
export const compilePolicy = (policy: RoutePolicy, options: CompileOptions): CompiledPolicy => {
  const accessOf = policy.access && compileAccess(policy.access)
  const isGuarded = policy.basicAuth !== undefined || policy.externalAuth !== undefined
  const isEither = isGuarded && policy.satisfy === 'any'
  const cors = policy.cors && compileCors(policy.cors)
  const limits = policy.limits && options.limiter.compile(policy.limits)
  const fixed = policy.answer && fixedAnswer(policy.answer)
  const authorize = compileAuthorize(policy, { ...options, accessOf: isEither ? accessOf : undefined })
  const editAnswer = answerEdits(policy, cors)
  return {
    policy,
    admit: admission([
      policy.refusal && always(refusal(policy.refusal.status, policy.refusal.reason)),
      policy.redirects && compileRedirects(policy.redirects),
      accessOf && !isEither ? denial(accessOf) : undefined,
      cors && ((request) => cors.preflight(request)),
      limits && ((request) => limits.admit(request)),
      isGuarded || fixed === undefined ? undefined : afterLimits(fixed, limits),
    ]),
    ...given('authorize', authorize && withFixedAnswer(authorize, fixed)),
    ...given('release', limits?.release),
    ...sending(policy, options),
    ...given('editAnswer', editAnswer),
    ...given('editResponse', podEdits(policy, editAnswer)),
  }
}

const sending = (policy: RoutePolicy, { now, random }: CompileOptions): Partial<CompiledPolicy> => ({
  ...given('canary', policy.canaries && compileCanaries(policy.canaries, random)),
  ...given('rewrite', policy.rewrite && rewriteText(policy.rewrite)),
  ...given('upstreamHost', policy.upstreamHost && hostText(policy.upstreamHost)),
  ...given('editRequest', policy.requestFields && compileEdits(policy.requestFields)),
  ...given('sticky', policy.sticky && compileSticky(policy.sticky, now)),
  ...given('hashKey', policy.hashBy && keyText(policy.hashBy.key)),
  ...given('mirror', policy.mirror && mirrorText(policy.mirror)),
})

/** A property, or none: what a policy lacks is not there to be called. */
const given = <Name extends keyof CompiledPolicy>(
  name: Name,
  value: CompiledPolicy[Name] | undefined,
): Partial<Pick<CompiledPolicy, Name>> => (value === undefined ? {} : ({ [name]: value } as Pick<CompiledPolicy, Name>))

const admission = (steps: readonly (Decide | undefined)[]): Decide => {
  const present = steps.filter((step) => step !== undefined)
  return (request) => {
    for (const step of present) {
      const answer = step(request)
      if (answer !== undefined) return answer
    }
    return undefined
  }
}

const always =
  (answer: Answer): Decide =>
  () =>
    answer

const denial = (accessOf: (address: string) => Access): Decide => {
  const denied = refusal(403, 'address-denied')
  return (request) => (accessOf(request.clientAddress) === 'denied' ? denied : undefined)
}

/** The limits counted the request as one that goes on, which it does not. */
const afterLimits =
  (fixed: Answer, limits: CompiledLimits | undefined): Decide =>
  (request) => {
    limits?.release?.(request)
    return fixed
  }

const withFixedAnswer = (
  authorize: NonNullable<CompiledPolicy['authorize']>,
  fixed: Answer | undefined,
): NonNullable<CompiledPolicy['authorize']> => {
  if (fixed === undefined) return authorize
  return (request, done) =>
    authorize(request, (verdict) =>
      done('answer' in verdict ? verdict : { answer: { ...fixed, fields: verdict.responseFields } }),
    )
}

const answerEdits = ({ responseFields }: RoutePolicy, cors: Cors | undefined): EditFields | undefined => {
  const edit = responseFields && compileEdits(responseFields)
  if (edit === undefined) return cors && ((fields, _status, request) => cors.edit(fields, request))
  if (cors === undefined) return (fields, status, request) => edit(fields, request, status)
  return (fields, status, request) => cors.edit(edit(fields, request, status), request)
}

/** What a pod's answer goes through: its redirects and cookies, then the same as our own. */
const podEdits = (policy: RoutePolicy, editAnswer: EditFields | undefined): EditFields | undefined => {
  const rewrites = [
    policy.locationRewrite && compileLocationRewrite(policy.locationRewrite),
    policy.cookieRewrite && compileCookieRewrite(policy.cookieRewrite),
  ].filter((rewrite) => rewrite !== undefined)
  if (rewrites.length === 0) return editAnswer
  return (fields, status, request) => {
    let edited = fields
    for (const rewrite of rewrites) edited = rewrite(edited)
    return editAnswer === undefined ? edited : editAnswer(edited, status, request)
  }
}

const AUTHORITY = /^[A-Za-z0-9.\-_:[\]]{1,255}$/

/** Host as the client sent it when the setting joins to something that is none. */
const hostText = (template: Template): ((request: RequestView) => string) => {
  const text = keyText(template)
  return (request) => {
    const host = text(request)
    return AUTHORITY.test(host) ? host : request.authority
  }
}

const mirrorText = (mirror: Mirror): NonNullable<CompiledPolicy['mirror']> => {
  const { target, withBody } = mirror
  const text = urlText(mirror.path)
  const host = mirror.host === undefined ? undefined : fieldValue(mirror.host)
  return (request) => {
    const path = text(request)
    return { target, path: path.startsWith('/') ? path : `/${path}`, host, withBody }
  }
}
