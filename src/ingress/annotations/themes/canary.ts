import type { Canary } from '../../../l7/table/index.ts'
import { differs, honoured, type ValuesOf } from '../annotation.ts'
import { expression } from '../grammar/expression.ts'
import { cookieName, fieldValue, readFieldName } from '../grammar/names.ts'
import { boolean, integer } from '../grammar/scalars.ts'

export const canaryAnnotations = {
  canary: differs(
    boolean,
    'several canaries of one rule are asked in order of age, not only the first; one of another namespace is refused; its annotations beside canary-* and load-balance are ignored, also affinity and hash',
  ),
  'canary-weight': honoured(integer(0, 1_000_000)),
  'canary-weight-total': honoured(integer(1, 1_000_000)),
  'canary-by-header': honoured(readFieldName),
  'canary-by-header-value': honoured(fieldValue),
  'canary-by-header-pattern': differs(expression, 'RE2 in place of PCRE'),
  'canary-by-cookie': honoured(cookieName),
} as const

type Values = ValuesOf<typeof canaryAnnotations>

/** Which requests an Ingress takes over from the main one of its paths; undefined when it is no canary. */
export type CanaryRule = Omit<Canary, 'backend' | 'labels'>

export const canaryRule = (values: Values): CanaryRule | undefined => {
  if (values.canary !== true) return undefined
  const name = values['canary-by-header']
  const value = values['canary-by-header-value']
  const pattern = value === undefined ? values['canary-by-header-pattern'] : undefined
  const cookie = values['canary-by-cookie']
  const weight = values['canary-weight']
  const total = values['canary-weight-total']
  return {
    ...(name && { header: { name, ...(value && { value }), ...(pattern && { pattern }) } }),
    ...(cookie && { cookie }),
    ...(weight !== undefined && { weight: Math.min(weight, total ?? 100), total: total ?? 100 }),
  }
}
