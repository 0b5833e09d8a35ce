import { randomBytes } from 'node:crypto'
import type { EngineContext } from '../context.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { type Answer, type CompiledPolicy, takesAddedFields, type Verdict, withFieldLines } from '../policy/index.ts'
import type { Match, RoutePolicy, Target } from '../table/index.ts'
import { judge } from '../tls/client-certificate.ts'
import type { ChoiceHint } from '../upstream/backends.ts'
import type { EndpointPool } from '../upstream/pool.ts'
import { engineAnswer } from './answers.ts'
import type { ExchangeClient } from './client.ts'
import { asErrorPage, type PodError } from './error-page.ts'
import type { PodRequest } from './pod-request.ts'
import { HeadView } from './view.ts'

type Authorized = Exclude<Verdict, { readonly answer: Answer }>

const KEY_BYTES = 8

/** Where one request goes, and what its route's policy makes of it. */
export class Routing {
  target: Target | undefined
  compiled: CompiledPolicy | undefined
  /** What authentication has let through. */
  authorized: Authorized | undefined
  readonly #request: RequestHead
  readonly #client: ExchangeClient
  #view: HeadView | undefined
  #isAdmitted = false
  /** What a `balanced` cookie holds: requests with it go to one endpoint while the endpoints stay. */
  #stickyKey = ''

  constructor(request: RequestHead, client: ExchangeClient) {
    this.#request = request
    this.#client = client
  }

  clear(): void {
    this.target = undefined
    this.compiled = undefined
    this.authorized = undefined
    this.#isAdmitted = false
    this.#stickyKey = ''
  }

  get policy(): RoutePolicy | undefined {
    return this.compiled?.policy
  }

  /** A view of the request while a policy is in force. */
  get view(): HeadView | undefined {
    return this.compiled === undefined ? undefined : this.#view
  }

  /** Takes the route; an answer when its policy has one at once. */
  take(match: Match, requestId: string, context: EngineContext): Answer | undefined {
    this.target = match.target
    const { policy } = match.target
    if (policy === undefined) return this.#judgeCertificate(context)
    this.compiled = context.policies.of(policy)
    this.#view ??= new HeadView(this.#request, this.#client.forwarded)
    this.#view.begin(requestId, match.captures)
    const answer = this.compiled.admit(this.#view)
    this.#isAdmitted = answer === undefined
    return answer ?? this.#judgeCertificate(context)
  }

  /** After redirects: plain HTTP shows no certificate. */
  #judgeCertificate(context: EngineContext): Answer | undefined {
    const refusal = judge(context.clientAuthOf(this.#request.host), this.#client.certificate)
    if (refusal === undefined) return undefined
    const answer = engineAnswer(refusal.status, refusal.reason)
    return refusal.location === undefined ? answer : { ...answer, fields: `Location: ${refusal.location}\r\n` }
  }

  /** The request has ended, whatever became of it. */
  release(): void {
    if (!this.#isAdmitted || this.view === undefined) return
    this.#isAdmitted = false
    this.compiled?.release?.(this.view)
  }

  backend(): string {
    const { view, compiled, target } = this
    const canary = view === undefined ? undefined : compiled?.canary?.(view)
    return canary?.backend ?? target?.backend ?? ''
  }

  fill(pod: PodRequest, requestId: string): void {
    const request = this.#request
    pod.method = request.method
    pod.target = request.target
    pod.authority = request.authority
    pod.fields = `${request.fields}${this.#client.forwarded.of(request)}X-Request-ID: ${requestId}\r\n`
    const { certificate } = this.#client
    if (certificate !== undefined) pod.fields += certificate.fields
    pod.contentLength = request.contentLength
    pod.chunked = request.chunked
    pod.upgrade = request.upgrade
    pod.acceptsTrailers = request.acceptsTrailers
    const { view, compiled } = this
    if (view === undefined || compiled === undefined) return
    pod.timeouts = compiled.policy.timeouts
    if (this.authorized !== undefined) pod.fields = withFieldLines(pod.fields, this.authorized.requestFields)
    if (compiled.rewrite !== undefined) pod.target = compiled.rewrite(view)
    if (compiled.upstreamHost !== undefined) pod.authority = compiled.upstreamHost(view)
    if (compiled.editRequest !== undefined) pod.fields = compiled.editRequest(pod.fields, view)
  }

  fillErrorPage(pod: PodRequest, requestId: string, error: Omit<PodError, 'request' | 'accept'>): void {
    this.fill(pod, requestId)
    asErrorPage(pod, { ...error, request: this.#request, accept: this.view?.field('accept') ?? '' })
  }

  /** Which endpoint is wanted; undefined: anyone. */
  hint(tried: readonly EndpointPool[] | undefined): ChoiceHint | undefined {
    const { view, compiled } = this
    if (view === undefined || compiled === undefined || (compiled.sticky === undefined && compiled.hashKey === undefined))
      return tried && { tried }
    const { sticky, hashKey, policy } = compiled
    if (sticky === undefined) return { tried, hashKey: hashKey?.(view), hashSubset: policy.hashBy?.subset }
    if (policy.sticky?.mode === 'persistent') return { tried, wanted: sticky.wanted(view) }
    if (this.#stickyKey === '') this.#stickyKey = sticky.wanted(view) ?? randomBytes(KEY_BYTES).toString('hex')
    else if (policy.sticky?.changeOnFailure === true) this.#stickyKey = randomBytes(KEY_BYTES).toString('hex')
    return { tried, hashKey: this.#stickyKey }
  }

  editHead(head: ResponseHead, pool: EndpointPool | undefined): void {
    const { view, compiled } = this
    if (view === undefined || compiled === undefined) return
    if (compiled.editResponse !== undefined) head.fields = compiled.editResponse(head.fields, head.status, view)
    head.fields += this.#authorizedLines(head.status)
    const { sticky } = compiled
    if (sticky === undefined || pool === undefined) return
    const value = this.#stickyKey === '' ? pool.id : this.#stickyKey
    if (sticky.wanted(view) !== value) head.fields += sticky.cookie(value, view)
  }

  /** The fields that a route adds to every answer are added to ours too. */
  editAnswer(answer: Answer): Answer {
    const { view, compiled } = this
    if (view === undefined || compiled?.editAnswer === undefined) return answer
    return { ...answer, fields: compiled.editAnswer(answer.fields, answer.status, view) }
  }

  #authorizedLines(status: number): string {
    const { authorized } = this
    if (authorized === undefined) return ''
    return authorized.isForAnyStatus || takesAddedFields(status) ? authorized.responseFields : ''
  }
}
