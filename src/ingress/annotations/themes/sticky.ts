import type { StickyCookie } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { cookieName, hostName, path } from '../grammar/names.ts'
import { is, isNot, oneOf, type Parser } from '../grammar/reading.ts'
import { boolean, integer } from '../grammar/scalars.ts'

const LONGEST = 2_147_483_647

/** A host, with or without the leading dot of old. */
const cookieDomain: Parser<string> = (text) => {
  const reading = hostName(text.replace(/^\./, ''))
  return reading.ok ? is(reading.value) : isNot('a DNS name')
}
/** Without `;`, which would begin another attribute. */
const cookiePath: Parser<string> = (text) => {
  const reading = path(text)
  return reading.ok && !text.includes(';') && !text.includes(',') ? reading : isNot('a path that begins with /')
}

export const stickyAnnotations = {
  affinity: honoured(oneOf('cookie')),
  'affinity-mode': honoured(oneOf('balanced', 'persistent')),
  'affinity-canary-behavior': noEffect(
    oneOf('sticky', 'legacy'),
    'a canary is chosen anew by its own rules for each request (legacy)',
  ),
  'session-cookie-name': honoured(cookieName),
  'session-cookie-path': honoured(cookiePath),
  'session-cookie-domain': honoured(cookieDomain),
  'session-cookie-samesite': honoured(oneOf('None', 'Lax', 'Strict')),
  'session-cookie-secure': honoured(boolean),
  'session-cookie-expires': honoured(integer(0, LONGEST)),
  'session-cookie-max-age': honoured(integer(0, LONGEST)),
  'session-cookie-change-on-failure': honoured(boolean),
  'session-cookie-conditional-samesite-none': differs(boolean, 'by the engine’s own list of clients'),
} as const

type Values = ValuesOf<typeof stickyAnnotations>

/** Undefined as path: that of the route. */
export type StickySettings = Omit<StickyCookie, 'path'> & { readonly path: string | undefined }

export const stickiness = (values: Values): StickySettings | undefined => {
  if (values.affinity !== 'cookie') return undefined
  const domain = values['session-cookie-domain']
  const sameSite = values['session-cookie-samesite']
  const secure = values['session-cookie-secure']
  const expiresSeconds = values['session-cookie-expires']
  const maxAgeSeconds = values['session-cookie-max-age']
  return {
    name: values['session-cookie-name'] ?? 'INGRESSCOOKIE',
    mode: values['affinity-mode'] ?? 'balanced',
    path: values['session-cookie-path'],
    ...(domain && { domain }),
    ...(sameSite && { sameSite }),
    ...(values['session-cookie-conditional-samesite-none'] && { conditionalSameSiteNone: true }),
    ...(secure !== undefined && { secure }),
    ...(expiresSeconds !== undefined && { expiresSeconds }),
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
    ...(values['session-cookie-change-on-failure'] && { changeOnFailure: true }),
  }
}
