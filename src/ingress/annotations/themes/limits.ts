import type { RateLimits, RoutePolicy } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { cidrs } from '../grammar/addresses.ts'
import { integer } from '../grammar/scalars.ts'

const rate = integer(1, 1_000_000)
const PER_REPLICA = 'refused with 429, not 503, unless the ConfigMap has limit-req-status-code; counted by each replica'
const UNSHAPED = 'answers are sent as fast as the client takes them'

export const limitAnnotations = {
  'limit-rps': differs(rate, PER_REPLICA, 'limits'),
  'limit-rpm': differs(rate, PER_REPLICA, 'limits'),
  'limit-connections': differs(rate, PER_REPLICA, 'limits'),
  'limit-burst-multiplier': honoured(integer(1, 1_000), 'limits'),
  'limit-allowlist': honoured(cidrs, 'limits'),
  'limit-whitelist': honoured(cidrs, 'limits'),
  'limit-rate': noEffect(integer(1, 10_000_000), UNSHAPED),
  'limit-rate-after': noEffect(integer(0, 10_000_000), UNSHAPED),
} as const

type Values = ValuesOf<typeof limitAnnotations>

/** `key` names the counters: those of one Ingress, as in ingress-nginx. */
export const limiting = (values: Values, { key, status }: Pick<RateLimits, 'key' | 'status'>): RoutePolicy => {
  const requestsPerSecond = values['limit-rps']
  const requestsPerMinute = values['limit-rpm']
  const connections = values['limit-connections']
  const exempt = values['limit-allowlist'] ?? values['limit-whitelist']
  const limits: RateLimits = {
    key,
    ...(requestsPerSecond && { requestsPerSecond }),
    ...(requestsPerMinute && { requestsPerMinute }),
    ...(connections && { connections }),
    burstMultiplier: values['limit-burst-multiplier'] ?? 5,
    ...(exempt && { exempt }),
    status,
  }
  return (requestsPerSecond ?? requestsPerMinute ?? connections) ? { limits } : {}
}
