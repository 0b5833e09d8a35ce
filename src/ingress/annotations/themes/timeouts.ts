import type { RetryCondition, RetryPolicy, RoutePolicy } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'
import { integer, seconds } from '../grammar/scalars.ts'

const CONDITIONS: Readonly<Record<string, readonly RetryCondition[]>> = {
  error: ['connect', 'error'],
  timeout: ['timeout'],
  invalid_header: ['invalid-header'],
  non_idempotent: ['non-idempotent'],
  http_403: [403],
  http_404: [404],
  http_429: [429],
  http_500: [500],
  http_502: [502],
  http_503: [503],
  http_504: [504],
}

/** `error timeout http_502`, or `off`. */
const retryConditions: Parser<readonly RetryCondition[]> = (text) => {
  if (text === 'off') return is([])
  const words = text.split(/ +/)
  const isKnown = words.every((word) => Object.hasOwn(CONDITIONS, word))
  return isKnown
    ? is([...new Set(words.flatMap((word) => CONDITIONS[word] ?? []))])
    : isNot(`off, or some of ${Object.keys(CONDITIONS).join(' ')}`)
}

const MOST_TRIES = 100
/** 0 is "no limit" in nginx. */
const tries: Parser<number> = integer(0, MOST_TRIES)

export const timeoutAnnotations = {
  'proxy-connect-timeout': honoured(seconds),
  'proxy-read-timeout': honoured(seconds),
  'proxy-send-timeout': honoured(seconds),
  'proxy-next-upstream': differs(
    retryConditions,
    'another endpoint is tried, never the same one at once, and within the engine’s retry budget',
  ),
  'proxy-next-upstream-tries': honoured(tries),
  'proxy-next-upstream-timeout': honoured(integer(0, 86_400)),
  'proxy-http-version': noEffect(
    (text) => (text === '1.1' || text === '1.0' ? is(text) : isNot('1.1 or 1.0')),
    'pods are spoken to in HTTP/1.1, or HTTP/2 by backend-protocol',
  ),
} as const

type Values = ValuesOf<typeof timeoutAnnotations>

export const timing = (values: Values): RoutePolicy => {
  const connectMs = values['proxy-connect-timeout']
  const sendMs = values['proxy-send-timeout']
  const readMs = values['proxy-read-timeout']
  const timeouts = { ...(connectMs && { connectMs }), ...(sendMs && { sendMs }), ...(readMs && { readMs }) }
  const retry = retrying(values)
  return { ...(Object.keys(timeouts).length > 0 && { timeouts }), ...(retry && { retry }) }
}

const retrying = (values: Values): RetryPolicy | undefined => {
  const on = values['proxy-next-upstream']
  const count = values['proxy-next-upstream-tries']
  const limit = values['proxy-next-upstream-timeout']
  if (on === undefined && count === undefined && limit === undefined) return undefined
  return {
    on: on ?? ['connect', 'error', 'timeout'],
    tries: on?.length === 0 ? 1 : count === 0 ? MOST_TRIES : (count ?? 3),
    timeoutMs: (limit ?? 0) * 1000,
  }
}
