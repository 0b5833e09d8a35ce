import type { RoutePolicy } from '../table/index.ts'
import type { Access } from './access.ts'
import { type Authenticate, compileBasicAuth } from './basic-auth/basic-auth.ts'
import type { Hasher } from './basic-auth/hasher.ts'
import type { Answer, CompiledPolicy, FieldLines, RequestView, Verdict } from './contract.ts'
import { compileExternalAuth, type ExternalAuthOptions } from './external-auth/external-auth.ts'

export interface AuthorizeOptions extends ExternalAuthOptions {
  readonly hasher: Hasher
  /** There with `satisfy: any`: an address that it allows needs no authentication. */
  readonly accessOf: ((clientAddress: string) => Access) | undefined
}

type Authorize = NonNullable<CompiledPolicy['authorize']>
type Ask = (request: RequestView, done: (verdict: Verdict) => void) => () => void

/** With both kinds of authentication both must let a request through; with `satisfy: any` either is enough. */
export const compileAuthorize = (policy: RoutePolicy, options: AuthorizeOptions): Authorize | undefined => {
  const basic = policy.basicAuth && basicStep(compileBasicAuth(policy.basicAuth, options.hasher))
  const external = policy.externalAuth && compileExternalAuth(policy.externalAuth, options)
  const ask = basic && external ? both(basic, external, policy.satisfy === 'any') : (basic ?? external)
  if (ask === undefined) return undefined
  const { accessOf } = options
  if (accessOf === undefined) return ask
  // nginx keeps the credentials of basic authentication from the pod also when an address was enough.
  const pass = basic === undefined ? passed(NOTHING) : passed(NO_CREDENTIALS)
  return (request, done) => {
    if (accessOf(request.clientAddress) !== 'allowed') return ask(request, done)
    done(pass)
    return () => {}
  }
}

const NOTHING: FieldLines = { remove: [], lines: '' }
const NO_CREDENTIALS: FieldLines = { remove: ['authorization'], lines: '' }

const passed = (requestFields: FieldLines): Verdict => ({ requestFields, responseFields: '', isForAnyStatus: false })

const basicStep =
  (authenticate: Authenticate): Ask =>
  (request, done) =>
    authenticate(request, (refusal: Answer | undefined) =>
      done(refusal === undefined ? passed(NO_CREDENTIALS) : { answer: refusal }),
    )

const both =
  (first: Ask, second: Ask, isEither: boolean): Ask =>
  (request, done) => {
    let cancel = (): void => {}
    let isCancelled = false
    const cancelFirst = first(request, (verdict) => {
      const isRefused = 'answer' in verdict
      if (isRefused !== isEither) {
        done(verdict)
        return
      }
      const cancelSecond = second(request, (next) => done(isEither ? next : withoutCredentials(next)))
      if (isCancelled) cancelSecond()
      else cancel = cancelSecond
    })
    return () => {
      isCancelled = true
      cancelFirst()
      cancel()
    }
  }

const withoutCredentials = (verdict: Verdict): Verdict => {
  if ('answer' in verdict) return verdict
  const { remove, lines } = verdict.requestFields
  return { ...verdict, requestFields: { remove: [...remove, ...NO_CREDENTIALS.remove], lines } }
}
