import type { Ingress } from '../../../api/index.ts'
import type { BasicAuth, ClientAuth, Redirect, RoutePolicy, Template } from '../../../l7/table/index.ts'
import type { Finding, Guard } from '../annotation.ts'
import { type ReadAnnotations, readAnnotations } from '../read.ts'
import { NGINX_PREFIX, type Values } from '../table.ts'
import { accessing } from '../themes/access.ts'
import { type AuthQuestion, authQuestion, readUsers } from '../themes/authentication.ts'
import { hashing } from '../themes/balancing.ts'
import { bodies } from '../themes/body.ts'
import { clientAuthSettings } from '../themes/client-tls.ts'
import { outwardNames } from '../themes/cookies.ts'
import { crossOrigin } from '../themes/cors.ts'
import { interceptedStatuses } from '../themes/errors.ts'
import { readFields } from '../themes/headers.ts'
import { limiting } from '../themes/limits.ts'
import { logging } from '../themes/logs.ts'
import { mirroring } from '../themes/mirror.ts'
import { fixedRedirect } from '../themes/redirects.ts'
import { rewriting } from '../themes/rewrite.ts'
import { type StickySettings, stickiness } from '../themes/sticky.ts'
import { timing } from '../themes/timeouts.ts'
import { type BackendSettings, backendSettings, settingsId } from './backend-settings.ts'
import type { IngressDefaults, ReadDefaults } from './defaults.ts'
import { mergePolicies } from './merge-policies.ts'
import { authorities, configMapData, type ObjectSources, secretData } from './objects.ts'
import { type Referred, referred } from './references.ts'

/** What an Ingress's annotations say, before it is known which of its routes is asked for. */
export interface IngressSettings {
  /** Everything that is the same for all of its routes. */
  readonly policy: RoutePolicy
  readonly fixedRedirect: Redirect | undefined
  readonly tlsRedirect: 'never' | 'with-tls' | 'always'
  readonly question: AuthQuestion | undefined
  /** The question comes from the defaults, which spare some paths. */
  readonly isGlobalQuestion: boolean
  readonly sticky: StickySettings | undefined
  readonly errorStatuses: readonly number[]
  /** Undefined: nothing is asked of clients. Without `ca`, nobody gets through. */
  readonly clientAuth: { readonly settings: Omit<ClientAuth, 'ca'>; readonly ca: string | undefined } | undefined
  /** Nobody may use the hosts of the Ingress: it asks for certificates in a way that cannot be read. */
  readonly closesHost: boolean
  readonly defaults: IngressDefaults
  readonly findings: readonly Finding[]
}

/** What an Ingress's annotations say by themselves. */
export interface IngressAnnotations extends ReadAnnotations {
  readonly referred: Referred
  readonly backend: BackendSettings
  /** Tells its backends apart from those of others with other settings. */
  readonly backendId: string
}

const known = new WeakMap<Ingress, IngressAnnotations>()

/** The annotations of an Ingress as it is; read once for each version of it. */
export const annotationsOf = (ingress: Ingress): IngressAnnotations => {
  const before = known.get(ingress)
  if (before !== undefined) return before
  const read = readAnnotations(ingress.metadata.annotations)
  const refers = referred(ingress, read.values)
  const backend = backendSettings(ingress, read.values, refers)
  const found = { ...read, referred: refers, backend, backendId: settingsId(backend) }
  known.set(ingress, found)
  return found
}

/** Joins annotations, what they refer to, and defaults; whatever guards and cannot be read becomes a refusal. */
export const ingressSettings = (
  ingress: Ingress,
  sources: ObjectSources,
  { defaults, findings: ofDefaults }: ReadDefaults,
): IngressSettings => {
  const { values: own, findings: ofAnnotations, referred: refers } = annotationsOf(ingress)
  const values: Values = { ...defaults.values, ...own }
  const basic = basicAuth(values, refers, sources)
  const question = externalAuth(values, refers, { sources, defaults })
  const headers = customHeaders(refers, sources, defaults)
  const clients = clientAuthentication(values, refers, sources)
  const parts = [basic, question, headers, clients]
  const guards = ofDefaults.filter(({ guard }) => guard !== undefined)
  const findings = [...ofAnnotations, ...refers.findings, ...guards, ...parts.flatMap((part) => part.findings)]
  return {
    policy: mergePolicies(
      commonPolicy(ingress, values, defaults),
      headers.policy,
      basic.auth ? { basicAuth: basic.auth } : {},
      refusalOf(findings),
    ),
    fixedRedirect: fixedRedirect(values),
    tlsRedirect: tlsRedirectOf(values, needsCertificate(clients.clientAuth?.settings)),
    question: question.question,
    isGlobalQuestion: question.isGlobal,
    sticky: stickiness(values),
    errorStatuses: interceptedStatuses(values),
    clientAuth: clients.clientAuth,
    closesHost: findings.some(({ guard }) => guard === 'client-certificates'),
    defaults,
    findings,
  }
}

const commonPolicy = (ingress: Ingress, values: Values, defaults: IngressDefaults): RoutePolicy => {
  const key = `${ingress.metadata.namespace ?? ''}/${ingress.metadata.name}`
  const snippets = mergePolicies(values['server-snippet'] ?? {}, values['configuration-snippet'] ?? {})
  const timed = timing(values)
  const access = joinedAccess(accessing(values), snippets, defaults.blocked)
  return mergePolicies(
    snippets,
    rewriting(values),
    timed,
    timed.retry && defaults.retryNonIdempotent ? { retry: { ...timed.retry, on: [...timed.retry.on, 'non-idempotent'] } } : {},
    bodies(values),
    access,
    limiting(values, { key, status: defaults.limitStatus }),
    crossOrigin(values),
    hashing(values),
    mirroring(values),
    outwardNames(values),
    defaults.accessLog ? {} : { accessLog: false },
    logging(values),
  )
}

/** Lists of several sources all hold: who is in one deny list is refused. The Ingress's own allow list is the one that counts. */
const joinedAccess = (own: RoutePolicy, { access: lifted }: RoutePolicy, blocked: readonly string[]): RoutePolicy => {
  const deny = [...(own.access?.deny ?? []), ...(lifted?.deny ?? []), ...blocked]
  const allow = own.access?.allow ?? lifted?.allow
  const access = { ...(allow && { allow }), ...(deny.length > 0 && { deny }) }
  return { ...own, ...(Object.keys(access).length > 0 && { access }) }
}

const needsCertificate = (settings: Omit<ClientAuth, 'ca'> | undefined): boolean =>
  settings?.verify === 'required' || settings?.commonName !== undefined

const tlsRedirectOf = (values: Values, asksClients: boolean): IngressSettings['tlsRedirect'] => {
  // Over plain http no certificate is shown, and the host's check would be walked around.
  if (values['force-ssl-redirect'] === true || asksClients) return 'always'
  return values['ssl-redirect'] === true ? 'with-tls' : 'never'
}

export const REFUSALS: Readonly<Record<Guard, NonNullable<RoutePolicy['refusal']>>> = {
  authentication: { status: 503, reason: 'auth-unreadable' },
  access: { status: 403, reason: 'access-unreadable' },
  limits: { status: 503, reason: 'limits-unreadable' },
  'client-certificates': { status: 403, reason: 'client-certificates-unreadable' },
}

const refusalOf = (findings: readonly Finding[]): RoutePolicy => {
  const guard = findings.find((finding) => finding.guard !== undefined)?.guard
  return guard === undefined ? {} : { refusal: REFUSALS[guard] }
}

const invalid = (annotation: string, why: string, guard?: Guard): Finding => ({
  annotation: NGINX_PREFIX + annotation,
  reason: 'AnnotationInvalid',
  message: `${NGINX_PREFIX}${annotation}: ${why}`,
  ...(guard && { guard }),
})

interface Part {
  readonly findings: readonly Finding[]
}

const basicAuth = (values: Values, { secrets }: Referred, sources: ObjectSources): Part & { readonly auth?: BasicAuth } => {
  const type = values['auth-type']
  const named = values['auth-secret']
  if (type === undefined && named === undefined) return { findings: [] }
  if (type === undefined) return { findings: [invalid('auth-secret', 'auth-type: basic is needed beside it', 'authentication')] }
  if (named === undefined) return { findings: [invalid('auth-type', 'auth-secret is needed beside it', 'authentication')] }
  const secret = secrets.get('auth-secret')
  if (secret === undefined) return { findings: [] }
  const data = secretData(secret, sources)
  if ('problem' in data) return { findings: [invalid('auth-secret', data.problem, 'authentication')] }
  const { users, problems } = readUsers(data.value, values['auth-secret-type'] ?? 'auth-file')
  const findings = problems.map((why) => invalid('auth-secret', `Secret ${secret}: ${why}`))
  if (users.size === 0)
    return { findings: [...findings, invalid('auth-secret', `Secret ${secret} has no user`, 'authentication')] }
  return { auth: { realm: values['auth-realm'] ?? 'Authentication Required', users }, findings }
}

const externalAuth = (
  values: Values,
  { configMaps }: Referred,
  { sources, defaults }: { readonly sources: ObjectSources; readonly defaults: IngressDefaults },
): Part & { readonly question: AuthQuestion | undefined; readonly isGlobal: boolean } => {
  const isGlobal = values['auth-url'] === undefined && values['enable-global-auth'] !== false && defaults.globalAuth !== undefined
  const effective = isGlobal ? defaults.globalAuth : values
  if (effective?.['auth-url'] === undefined) return { question: undefined, isGlobal: false, findings: [] }
  const name = configMaps.get('auth-proxy-set-headers')
  const read = name === undefined ? undefined : configMapData(name, sources)
  if (read !== undefined && 'problem' in read) {
    const findings = [invalid('auth-proxy-set-headers', read.problem, 'authentication')]
    return { question: undefined, isGlobal: false, findings }
  }
  const fields = read === undefined ? { set: [], problems: [] } : readFields(read.value)
  const fromSnippet: readonly (readonly [string, Template])[] = values['auth-snippet']?.set ?? []
  return {
    question: authQuestion(effective, [...fields.set, ...fromSnippet]),
    isGlobal,
    findings: fields.problems.map((why) => invalid('auth-proxy-set-headers', `ConfigMap ${name}: ${why}`)),
  }
}

const customHeaders = (
  { configMaps }: Referred,
  sources: ObjectSources,
  { allowedResponseHeaders, hsts }: IngressDefaults,
): Part & { readonly policy: RoutePolicy } => {
  const always: readonly (readonly [string, Template])[] = hsts === undefined ? [] : [['strict-transport-security', [hsts]]]
  const name = configMaps.get('custom-headers')
  const read = name === undefined ? undefined : configMapData(name, sources)
  const found = read !== undefined && 'value' in read ? readFields(read.value, allowedResponseHeaders) : { set: [], problems: [] }
  const set = [...always, ...found.set]
  const problems = read !== undefined && 'problem' in read ? [read.problem] : found.problems
  return {
    policy: set.length > 0 ? { responseFields: { set } } : {},
    findings: problems.map((why) => invalid('custom-headers', why)),
  }
}

const clientAuthentication = (
  values: Values,
  { secrets }: Referred,
  sources: ObjectSources,
): Part & { readonly clientAuth: IngressSettings['clientAuth'] } => {
  const settings = clientAuthSettings(values)
  if (settings === undefined) return { clientAuth: undefined, findings: [] }
  const secret = secrets.get('auth-tls-secret')
  if (secret === undefined) return { clientAuth: { settings, ca: undefined }, findings: [] }
  const refused = (why: string) => ({
    clientAuth: { settings, ca: undefined },
    findings: [invalid('auth-tls-secret', why, 'client-certificates')],
  })
  const ca = authorities(secret, sources)
  if ('problem' in ca) return refused(ca.problem)
  // Served without its list, a certificate that was taken back would be let in.
  if (sources.secret(secret)?.data?.['ca.crl'] !== undefined)
    return refused(`Secret ${secret} has ca.crl, which is not checked here`)
  return { clientAuth: { settings, ca: ca.value }, findings: [] }
}
