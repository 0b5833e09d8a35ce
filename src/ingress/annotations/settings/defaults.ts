import type { Redirect } from '../../../l7/table/index.ts'
import type { Finding } from '../annotation.ts'
import { cidrs } from '../grammar/addresses.ts'
import { fieldName } from '../grammar/names.ts'
import { listOf, type Parser, shown } from '../grammar/reading.ts'
import { boolean, integer, status } from '../grammar/scalars.ts'
import { annotationTable, NGINX_PREFIX, type Values } from '../table.ts'

/** What Ingresses get without an annotation of their own. */
export interface IngressDefaults {
  /** As if each Ingress had these annotations. */
  readonly values: Values
  readonly redirectStatus: Redirect['status']
  readonly limitStatus: 429 | 503
  readonly httpsPort: number
  /** Refused everywhere, beside the Ingress's own list. */
  readonly blocked: readonly string[]
  /** In lower case; undefined for all. */
  readonly allowedResponseHeaders: ReadonlySet<string> | undefined
  /** External authentication of every route that does not have `enable-global-auth: "false"`. */
  readonly globalAuth: Values | undefined
  readonly noAuthPaths: readonly string[]
  /** The value of Strict-Transport-Security on hosts with TLS. */
  readonly hsts: string | undefined
  readonly retryNonIdempotent: boolean
  readonly accessLog: boolean
}

/** The engine's own, for the class `fairway` and all others. */
const plainDefaults: IngressDefaults = {
  values: {},
  redirectStatus: 308,
  limitStatus: 429,
  httpsPort: 443,
  blocked: [],
  allowedResponseHeaders: undefined,
  globalAuth: undefined,
  noAuthPaths: ['/.well-known/acme-challenge'],
  hsts: undefined,
  retryNonIdempotent: false,
  accessLog: true,
}

const MEGA = 1024 ** 2

/** What ingress-nginx does by itself, for Ingresses of the class `nginx`. */
const nginxValues: Values = {
  'ssl-redirect': true,
  'proxy-body-size': MEGA,
  'proxy-connect-timeout': 5_000,
  'proxy-read-timeout': 60_000,
  'proxy-send-timeout': 60_000,
  'proxy-next-upstream': ['connect', 'error', 'timeout'],
  'proxy-next-upstream-tries': 3,
  'proxy-next-upstream-timeout': 0,
}

/** ConfigMap keys that mean the annotation of the same name. */
const SAME = [
  'custom-http-errors',
  'denylist-source-range',
  'force-ssl-redirect',
  'load-balance',
  'proxy-body-size',
  'proxy-connect-timeout',
  'proxy-cookie-domain',
  'proxy-cookie-path',
  'proxy-next-upstream',
  'proxy-next-upstream-timeout',
  'proxy-next-upstream-tries',
  'proxy-read-timeout',
  'proxy-request-buffering',
  'proxy-send-timeout',
  'ssl-redirect',
  'whitelist-source-range',
] as const

/** ConfigMap keys that mean an annotation of another name. */
const GLOBAL_AUTH: Readonly<Record<string, string>> = {
  'global-auth-url': 'auth-url',
  'global-auth-method': 'auth-method',
  'global-auth-signin': 'auth-signin',
  'global-auth-signin-redirect-param': 'auth-signin-redirect-param',
  'global-auth-response-headers': 'auth-response-headers',
  'global-auth-request-redirect': 'auth-request-redirect',
  'global-auth-cache-key': 'auth-cache-key',
  'global-auth-cache-duration': 'auth-cache-duration',
  'global-auth-always-set-cookie': 'auth-always-set-cookie',
}

export interface ReadDefaults {
  readonly defaults: IngressDefaults
  /** With the ConfigMap's key in place of an annotation. */
  readonly findings: readonly Finding[]
}

/**
 * Reads the ConfigMap keys of ingress-nginx that mean something for a route, by the grammars of the annotations. Keys that are about the
 * whole engine (ports, TLS versions, client addresses, logs) are its command line's.
 */
export const readDefaults = (
  raw: Readonly<Record<string, string>>,
  { isNginx, httpsPort = 443 }: { readonly isNginx: boolean; readonly httpsPort?: number },
): ReadDefaults => {
  const findings: Finding[] = []
  const get = <T>(key: string, parse: Parser<T>, guard?: Finding['guard']): T | undefined => {
    const text = Object.hasOwn(raw, key) ? raw[key]?.trim() : undefined
    if (text === undefined || text === '') return undefined
    const reading = parse(text)
    if (reading.ok) return reading.value
    const message = `ConfigMap key ${key}: ${shown(text)} is not ${reading.why}`
    findings.push({ annotation: key, reason: 'AnnotationInvalid', message, ...(guard && { guard }) })
    return undefined
  }
  const asAnnotations = (pairs: readonly (readonly [string, string])[]): Values => {
    const entries = pairs.flatMap(([key, name]) => {
      const row = annotationTable.get(NGINX_PREFIX + name)
      const value = row && get(key, row.parse, row.guard)
      return value === undefined ? [] : [[name, value]]
    })
    // Each value was made by the parser of its name.
    return Object.fromEntries(entries) as Values
  }
  const values = { ...(isNginx && nginxValues), ...asAnnotations(SAME.map((key) => [key, key])) }
  const globalAuth = asAnnotations(Object.entries(GLOBAL_AUTH))
  const allowed = get('global-allowed-response-headers', listOf(fieldName))
  const defaults: IngressDefaults = {
    ...plainDefaults,
    values,
    redirectStatus: get('http-redirect-code', status(301, 302, 303, 307, 308)) ?? plainDefaults.redirectStatus,
    limitStatus: get('limit-req-status-code', status(429, 503)) ?? plainDefaults.limitStatus,
    httpsPort,
    blocked: get('block-cidrs', cidrs, 'access') ?? [],
    allowedResponseHeaders: allowed && new Set(allowed),
    globalAuth: globalAuth['auth-url'] === undefined ? undefined : globalAuth,
    noAuthPaths: get('no-auth-locations', listOf(noAuthPath)) ?? plainDefaults.noAuthPaths,
    hsts: hsts(get),
    retryNonIdempotent: get('retry-non-idempotent', boolean) ?? false,
    accessLog: get('disable-access-log', boolean) !== true,
  }
  return { defaults, findings }
}

const noAuthPath: Parser<string> = (text) =>
  /^\/[A-Za-z0-9\-._~/]{0,255}$/.test(text) ? { ok: true, value: text } : { ok: false, why: 'a path' }

/** Only where the ConfigMap asks: a browser that saw it once refuses plain http for a year. */
const hsts = (get: <T>(key: string, parse: Parser<T>) => T | undefined): string | undefined => {
  if (get('hsts', boolean) !== true) return undefined
  const age = get('hsts-max-age', integer(0, 1_000_000_000)) ?? 31_536_000
  const subdomains = get('hsts-include-subdomains', boolean) === false ? '' : '; includeSubDomains'
  return `max-age=${age}${subdomains}${get('hsts-preload', boolean) ? '; preload' : ''}`
}
