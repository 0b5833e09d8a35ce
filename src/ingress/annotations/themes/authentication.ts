import type { ExternalAuth, Template } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { fieldName, plainText, reference } from '../grammar/names.ts'
import { is, isNot, listOf, oneOf, type Parser, shown } from '../grammar/reading.ts'
import { boolean, duration, integer } from '../grammar/scalars.ts'
import { fieldTemplate, keyTemplate } from '../grammar/template.ts'
import { type OutsideUrl, outsideUrl, redirectUrl } from '../grammar/url.ts'

type CacheDuration = NonNullable<ExternalAuth['cache']>['durations'][number]

/** `200 202 401 5m, 404 1m`, or only `5m`, which nginx reads as for 200, 301 and 302. */
const cacheDurations: Parser<readonly CacheDuration[]> = listOf((text) => {
  const words = text.split(/ +/)
  const length = duration(words.at(-1) ?? '')
  const statuses = words.slice(0, -1)
  const isGood = statuses.every((word) => /^[1-5][0-9]{2}$/.test(word))
  if (!length.ok || !isGood) return isNot('statuses and a duration such as 200 202 5m')
  return is({ statuses: statuses.length === 0 ? [200, 301, 302] : statuses.map(Number), ms: length.value })
})

const authType: Parser<'basic'> = (text) =>
  text === 'basic' ? is(text) : isNot(text === 'digest' ? 'basic (digest is not offered: it needs MD5 of the password)' : 'basic')

const argumentName: Parser<string> = (text) => (/^[A-Za-z0-9_-]{1,64}$/.test(text) ? is(text) : isNot('the name of an argument'))

const KEPT = 'by the engine’s own pool'

export const authenticationAnnotations = {
  'auth-type': honoured(authType, 'authentication'),
  'auth-secret': differs(reference, 'a Secret of another namespace is refused', 'authentication'),
  'auth-secret-type': honoured(oneOf('auth-file', 'auth-map'), 'authentication'),
  'auth-realm': honoured(plainText),
  'auth-url': differs(
    outsideUrl,
    'scheme and host are literal, or $host on rules with a plain host; loopback, link-local and metadata addresses are refused',
    'authentication',
  ),
  'auth-method': honoured(oneOf('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'), 'authentication'),
  'auth-signin': differs(redirectUrl, 'of its host only $host is variable', 'authentication'),
  'auth-signin-redirect-param': honoured(argumentName),
  'auth-response-headers': honoured(listOf(fieldName), 'authentication'),
  'auth-request-redirect': honoured(fieldTemplate),
  'auth-always-set-cookie': honoured(boolean),
  'auth-proxy-set-headers': differs(reference, 'a ConfigMap of another namespace is refused', 'authentication'),
  'enable-global-auth': honoured(boolean, 'authentication'),
  'auth-cache-key': honoured(keyTemplate, 'authentication'),
  'auth-cache-duration': honoured(cacheDurations, 'authentication'),
  'auth-keepalive': honoured(integer(0, 10_000)),
  'auth-keepalive-requests': noEffect(integer(1, 1_000_000_000), KEPT),
  'auth-keepalive-timeout': noEffect(integer(1, 86_400), KEPT),
  'auth-keepalive-share-vars': noEffect(boolean, 'there are no nginx variables to share'),
} as const

export type AuthenticationValues = ValuesOf<typeof authenticationAnnotations>

/** External authentication, of a host that may be the route's own. */
export type AuthQuestion = Omit<ExternalAuth, 'target'> & { readonly target: Pick<OutsideUrl, 'scheme' | 'host' | 'port'> }

const AUTH_TIMEOUT_MS = 60_000
const DEFAULT_CACHE: readonly CacheDuration[] = [{ statuses: [200, 202, 401], ms: 300_000 }]

/** `requestFields`: what the ConfigMap of auth-proxy-set-headers says. */
export const authQuestion = (
  values: AuthenticationValues,
  requestFields: readonly (readonly [string, Template])[],
): AuthQuestion | undefined => {
  const url = values['auth-url']
  if (url === undefined) return undefined
  const signin = values['auth-signin']
  const redirect = values['auth-request-redirect']
  const key = values['auth-cache-key']
  const keepaliveConnections = values['auth-keepalive']
  const set = [...requestFields, ...(redirect ? [['x-auth-request-redirect', redirect] as const] : [])]
  return {
    target: { scheme: url.scheme, host: url.host, port: url.port },
    path: url.rest.length === 0 ? ['/'] : url.rest,
    method: values['auth-method'] ?? 'GET',
    ...(signin && { signin: signinUrl(signin, values['auth-signin-redirect-param'] ?? 'rd') }),
    responseFields: values['auth-response-headers'] ?? [],
    ...(set.length > 0 && { requestFields: { set } }),
    ...(values['auth-always-set-cookie'] && { alwaysSetCookie: true }),
    ...(key && { cache: { key, durations: values['auth-cache-duration'] ?? DEFAULT_CACHE } }),
    ...(keepaliveConnections !== undefined && { keepaliveConnections }),
    timeoutMs: AUTH_TIMEOUT_MS,
  }
}

/** With the URL that the client wanted, unless the setting passes it on itself. */
const signinUrl = (url: Template, parameter: string): Template => {
  const text = url.map((part) => (typeof part === 'string' ? part : '')).join('')
  if (new RegExp(`[?&]${parameter}=`).test(text)) return url
  return [...url, `${text.includes('?') ? '&' : '?'}${parameter}=`, { of: 'escapedUrl' }]
}

/** Every scheme that BasicAuth knows; plain text and DES crypt are none. */
const HASH = /^(?:\$apr1\$|\$2[aby]\$|\{SHA\}|\{SSHA\}|\$5\$|\$6\$)[!-~]{8,200}$/
const USER = /^[!-9;-~]{1,255}$/

export interface ReadUsers {
  readonly users: ReadonlyMap<string, string>
  /** One line for each user that cannot be read; never the hash. */
  readonly problems: readonly string[]
}

/** The users of a Secret's data (decoded): htpasswd lines under `auth`, or a user a key. */
export const readUsers = (data: ReadonlyMap<string, string>, type: 'auth-file' | 'auth-map'): ReadUsers => {
  const users = new Map<string, string>()
  const problems: string[] = []
  const pairs = type === 'auth-map' ? [...data] : linesOf(data.get('auth') ?? '')
  for (const [user, hash] of pairs) {
    if (!USER.test(user)) problems.push(`${shown(user)} is not a user name`)
    else if (HASH.test(hash)) users.set(user, hash)
    else
      problems.push(
        `the password of user ${shown(user)} is not a hash of a known kind (bcrypt, apr1, SHA, SSHA, SHA-256 or SHA-512 crypt)`,
      )
  }
  return { users, problems: problems.slice(0, 10) }
}

const linesOf = (text: string): readonly (readonly [string, string])[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [user = '', hash = ''] = line.split(':')
      return [user, hash]
    })
