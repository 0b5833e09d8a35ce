import type { ExternalAuth } from '../../table/index.ts'
import type { RequestView, Verdict } from '../contract.ts'
import type { OutsideClient } from '../outside/contract.ts'
import { locationText } from '../redirect-target.ts'
import { type Judgement, judge, linesOf, refusalOf } from './judgement.ts'
import { JudgementCache } from './judgement-cache.ts'
import { compileQuestion } from './question.ts'

export interface ExternalAuthOptions {
  readonly outside: OutsideClient
  readonly monotonic: () => number
}

/** Asks the service before each request, unless a kept judgement answers. Whatever goes wrong is 500: nobody gets in by a failure. */
export const compileExternalAuth = (
  auth: ExternalAuth,
  { outside, monotonic }: ExternalAuthOptions,
): ((request: RequestView, done: (verdict: Verdict) => void) => () => void) => {
  const question = compileQuestion(auth)
  const signin = auth.signin && locationText(auth.signin)
  const cache = auth.cache && new JudgementCache(auth.cache)
  const isForAnyStatus = auth.alwaysSetCookie === true

  const verdictOf = (judgement: Judgement, request: RequestView, cookies: string): Verdict => {
    if (judgement.kind === 'allowed') return { requestFields: judgement.requestFields, responseFields: cookies, isForAnyStatus }
    const answer = refusalOf(judgement, signin?.(request))
    const isAdded = isForAnyStatus || answer.status === 302
    return { answer: isAdded ? { ...answer, fields: answer.fields + cookies } : answer }
  }

  return (request, done) => {
    const key = cache?.keyOf(request) ?? ''
    const kept = cache?.get(key, monotonic())
    if (kept !== undefined) {
      done(verdictOf(kept, request, ''))
      return () => {}
    }
    return outside.send(question(request), (outcome) => {
      if ('failure' in outcome) {
        done(verdictOf({ kind: 'failed', reason: outcome.failure }, request, ''))
        return
      }
      const { answer } = outcome
      const judgement = judge(answer, auth.responseFields)
      cache?.put(key, judgement, { answer, nowMs: monotonic() })
      done(verdictOf(judgement, request, linesOf(answer.fields, 'set-cookie')))
    })
  }
}
