import type { ClientAuth } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { expression } from '../grammar/expression.ts'
import { reference } from '../grammar/names.ts'
import { is, isNot, oneOf, type Parser } from '../grammar/reading.ts'
import { boolean, integer } from '../grammar/scalars.ts'
import { redirectUrl } from '../grammar/url.ts'
import { ciphers } from './backend-tls.ts'

/** `CN=expression`: of the subject's common name. */
const commonName: Parser<string> = (text) => {
  const found = /^CN=(.+)$/.exec(text)?.[1]
  return found === undefined ? isNot('CN= and an expression for the common name') : expression(found)
}

/** The contract wants a text: no variables. */
const literalUrl: Parser<string> = (text) => {
  const reading = redirectUrl(text)
  if (!reading.ok) return reading
  const [only, ...others] = reading.value
  return typeof only === 'string' && others.length === 0 ? is(only) : isNot('a URL without variables')
}

export const clientTlsAnnotations = {
  'auth-tls-secret': differs(
    reference,
    'for the whole host, also over its aliases; plain http is redirected to https; a Secret of another namespace, or with ca.crl, is refused',
    'client-certificates',
  ),
  'auth-tls-verify-client': honoured(oneOf('on', 'off', 'optional', 'optional_no_ca'), 'client-certificates'),
  'auth-tls-verify-depth': honoured(integer(1, 20), 'client-certificates'),
  'auth-tls-pass-certificate-to-upstream': honoured(boolean),
  'auth-tls-match-cn': differs(commonName, 'RE2, of the common name alone', 'client-certificates'),
  'auth-tls-error-page': differs(literalUrl, 'without variables'),
  'ssl-ciphers': noEffect(ciphers, 'ciphers are a setting of the whole engine'),
  'ssl-prefer-server-ciphers': noEffect(boolean, 'ciphers are a setting of the whole engine'),
} as const

type Values = ValuesOf<typeof clientTlsAnnotations>

const VERIFY = { on: 'required', optional: 'optional', optional_no_ca: 'optional-no-ca' } as const

/** What is asked of clients, but for the authorities; undefined when nothing is. */
export const clientAuthSettings = (values: Values): Omit<ClientAuth, 'ca'> | undefined => {
  const verify = values['auth-tls-verify-client'] ?? 'on'
  if (values['auth-tls-secret'] === undefined || verify === 'off') return undefined
  const name = values['auth-tls-match-cn']
  const errorPage = values['auth-tls-error-page']
  return {
    verify: VERIFY[verify],
    depth: values['auth-tls-verify-depth'] ?? 1,
    passToUpstream: values['auth-tls-pass-certificate-to-upstream'] ?? false,
    ...(name && { commonName: name }),
    ...(errorPage && { errorPage }),
  }
}
