import type { RoutePolicy } from '../../../l7/table/index.ts'
import { honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { plainText } from '../grammar/names.ts'
import { boolean } from '../grammar/scalars.ts'

export const logAnnotations = {
  'enable-access-log': honoured(boolean),
  'enable-rewrite-log': noEffect(boolean, 'rewrites are not logged; "fairway explain URL" tells them'),
  'enable-opentelemetry': honoured(boolean),
  'opentelemetry-operation-name': noEffect(plainText, 'spans are named by method and rule'),
  'opentelemetry-trust-incoming-span': noEffect(boolean, 'a setting of the engine: traceparent is kept from trusted peers'),
} as const

type Values = ValuesOf<typeof logAnnotations>

export const logging = (values: Values): RoutePolicy => {
  const accessLog = values['enable-access-log']
  const tracing = values['enable-opentelemetry']
  return { ...(accessLog === false && { accessLog }), ...(tracing === false && { tracing }) }
}
