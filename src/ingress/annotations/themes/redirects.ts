import type { Redirect, Template } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { path } from '../grammar/names.ts'
import { boolean, status } from '../grammar/scalars.ts'
import { redirectUrl } from '../grammar/url.ts'

const redirectStatus = status(301, 302, 303, 307, 308)

export const redirectAnnotations = {
  'ssl-redirect': differs(boolean, 'on without being asked only for Ingresses of the class nginx; never for ACME challenges'),
  'force-ssl-redirect': honoured(boolean),
  'permanent-redirect': honoured(redirectUrl),
  'permanent-redirect-code': honoured(redirectStatus),
  'temporal-redirect': honoured(redirectUrl),
  'temporal-redirect-code': honoured(redirectStatus),
  'from-to-www-redirect': honoured(boolean),
  'app-root': differs(path, 'the Location is the path alone, which keeps scheme, host and port'),
  'relative-redirects': noEffect(boolean, 'redirects of the engine are as their annotation is written'),
  'preserve-trailing-slash': noEffect(boolean, 'a path is never redirected to one with a trailing slash'),
  'use-port-in-redirects': noEffect(boolean, 'the https port of the engine is put in where it is not 443'),
} as const

type Values = ValuesOf<typeof redirectAnnotations>

/** nginx answers the temporary one when both are there. */
export const fixedRedirect = (values: Values): Redirect | undefined => {
  const temporal = values['temporal-redirect']
  if (temporal !== undefined) return { status: values['temporal-redirect-code'] ?? 302, when: 'always', to: temporal }
  const permanent = values['permanent-redirect']
  if (permanent !== undefined) return { status: values['permanent-redirect-code'] ?? 301, when: 'always', to: permanent }
  return undefined
}

const httpsUrl = (port: number): Template => [
  'https://',
  { of: 'host' },
  ...(port === 443 ? [] : [`:${port}`]),
  { of: 'requestUri' },
]

export const tlsRedirect = (code: Redirect['status'], port: number): Redirect => ({
  status: code,
  when: 'plain-http',
  to: httpsUrl(port),
})
