import type { RoutePolicy } from '../../../l7/table/index.ts'
import { honoured, type ValuesOf } from '../annotation.ts'
import { cidrs } from '../grammar/addresses.ts'
import { oneOf } from '../grammar/reading.ts'

export const accessAnnotations = {
  'allowlist-source-range': honoured(cidrs, 'access'),
  'whitelist-source-range': honoured(cidrs, 'access'),
  'denylist-source-range': honoured(cidrs, 'access'),
  satisfy: honoured(oneOf('all', 'any'), 'access'),
} as const

type Values = ValuesOf<typeof accessAnnotations>

export const accessing = (values: Values): RoutePolicy => {
  const allow = values['allowlist-source-range'] ?? values['whitelist-source-range']
  const deny = values['denylist-source-range']
  const satisfy = values.satisfy
  return {
    ...((allow ?? deny) && { access: { ...(allow && { allow }), ...(deny && { deny }) } }),
    ...(satisfy && { satisfy }),
  }
}
