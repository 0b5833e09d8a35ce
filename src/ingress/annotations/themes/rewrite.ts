import type { RoutePolicy } from '../../../l7/table/index.ts'
import { differs, honoured, type ValuesOf } from '../annotation.ts'
import { boolean } from '../grammar/scalars.ts'
import { fieldTemplate, hostTemplate, pathTemplate } from '../grammar/template.ts'

export const rewriteAnnotations = {
  'use-regex': differs(
    boolean,
    'only the Prefix and ImplementationSpecific paths of this Ingress are expressions (RE2, from the start, without case), not those of the whole host',
  ),
  'rewrite-target': differs(
    pathTemplate,
    'makes the paths of this Ingress expressions, as use-regex does; not those of the whole host',
  ),
  'x-forwarded-prefix': honoured(fieldTemplate),
  'upstream-vhost': honoured(hostTemplate),
} as const

type Values = ValuesOf<typeof rewriteAnnotations>

/** Whether the paths of the Ingress are regular expressions. */
export const usesRegex = (values: Values): boolean => values['use-regex'] === true || values['rewrite-target'] !== undefined

export const rewriting = (values: Values): RoutePolicy => {
  const rewrite = values['rewrite-target']
  const prefix = values['x-forwarded-prefix']
  const upstreamHost = values['upstream-vhost']
  return {
    ...(rewrite && { rewrite }),
    // As ingress-nginx: a path that is not rewritten has lost no prefix.
    ...(rewrite && prefix && { requestFields: { set: [['x-forwarded-prefix', prefix]] } }),
    ...(upstreamHost && { upstreamHost }),
  }
}
