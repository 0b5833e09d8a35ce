import type { ConfigMap, Ingress, IngressClass, Secret, Service } from '../../api/index.ts'
import { annotationsOf, annotationTable, ingressSettings, readDefaults } from '../annotations/index.ts'
import { CLASS_ANNOTATION, CONTROLLER_NAME, keyOf, type RouteProblemReason, Routes } from '../routes/index.ts'
import type { AuditEntry, AuditVerdict } from './entry.ts'
import { pathEntries } from './paths.ts'

/** What is known of a cluster that moves from ingress-nginx; objects that are not there are not missed. */
export interface AuditInput {
  readonly ingresses: readonly Ingress[]
  readonly ingressClasses?: readonly IngressClass[]
  readonly services?: readonly Service[]
  readonly secrets?: readonly Secret[]
  readonly configMaps?: readonly ConfigMap[]
}

export interface Audit {
  readonly entries: readonly AuditEntry[]
  /** What holds for every Ingress, whatever it says. */
  readonly general: readonly string[]
}

const GENERAL: readonly string[] = [
  'paths are normalised (., .., //, encoded letters) as in nginx before they are matched; here pods see the normalised path too, %2F stays encoded, and bad escapes get 400',
  'a request without the trailing slash of a path is served, not redirected with 301',
  'limits, sessions and caches are counted by each replica, as in ingress-nginx',
  'a change never restarts anything: connections and WebSockets stay open',
]

/** For each Ingress what is honoured, what differs and what is refused; Ingresses of other controllers are only named. */
export const auditIngresses = (input: AuditInput): Audit => {
  const sorted = [...input.ingresses].sort((a, b) => byName(keyOf(a), keyOf(b)))
  const ours = sorted.filter((ingress) => foreignClass(ingress, input) === undefined)
  const found = compileProblems(ours, input)
  const entries = sorted.flatMap((ingress) => {
    const foreign = foreignClass(ingress, input)
    if (foreign !== undefined)
      return [entry(ingress, 'class', 'no-effect', `class ${JSON.stringify(foreign)} stays another controller’s`)]
    return [
      ...annotationEntries(ingress, input),
      ...pathEntries(ingress, ours),
      ...classEntries(ingress),
      ...found.filter((problem) => problem.ingress === keyOf(ingress)),
    ]
  })
  return { entries, general: GENERAL }
}

const byName = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

const entry = (ingress: Ingress, subject: string, verdict: AuditVerdict, note: string): AuditEntry => ({
  ingress: keyOf(ingress),
  subject,
  verdict,
  note,
})

const NGINX_CONTROLLER = 'k8s.io/ingress-nginx'

/** The class of an Ingress that neither ingress-nginx nor Fairway serves. */
const foreignClass = (ingress: Ingress, { ingressClasses = [] }: AuditInput): string | undefined => {
  const name = ingress.spec.ingressClassName || ingress.metadata.annotations?.[CLASS_ANNOTATION]
  if (!name || name === 'nginx' || name === 'fairway') return undefined
  const known = ingressClasses.find(({ metadata }) => metadata.name === name)
  // Who did not hand in the class may well mean one of ingress-nginx under another name.
  if (known === undefined) return KNOWN_FOREIGN.has(name) ? name : undefined
  return known.spec.controller === NGINX_CONTROLLER || known.spec.controller === CONTROLLER_NAME ? undefined : name
}

const KNOWN_FOREIGN = new Set([
  'alb',
  'azure-application-gateway',
  'azure/application-gateway',
  'cilium',
  'contour',
  'gce',
  'gce-internal',
  'haproxy',
  'istio',
  'kong',
  'traefik',
])

const annotationEntries = (ingress: Ingress, input: AuditInput): readonly AuditEntry[] => {
  const read = annotationsOf(ingress)
  const findings = [...read.findings, ...read.referred.findings, ...referredFindings(ingress, input)]
  const faults = new Map(findings.map((finding) => [finding.annotation, finding]))
  const isCanary = read.values.canary === true
  return Object.keys(ingress.metadata.annotations ?? {})
    .sort()
    .flatMap((name) => {
      const row = annotationTable.get(name)
      const fault = faults.get(name)
      if (fault !== undefined)
        return [entry(ingress, name, 'refused', `${fault.message.replace(`${name}: `, '')}${closes(fault.guard)}`)]
      if (row === undefined) return []
      if (isCanary && !ofCanaries(name)) return [entry(ingress, name, 'no-effect', 'a canary is reached as its main Ingress is')]
      return [entry(ingress, name, row.treatment, row.note ?? '')]
    })
}

const closes = (guard: string | undefined): string => (guard === undefined ? '' : '; its routes are closed (fail closed)')

const ofCanaries = (name: string): boolean => /\/(?:canary.*|load-balance)$/.test(name)

/** What is wrong with the objects that annotations refer to, where those were handed in. */
const referredFindings = (ingress: Ingress, { secrets = [], configMaps = [] }: AuditInput) => {
  const { referred } = annotationsOf(ingress)
  const secret = (key: string) => secrets.find((object) => keyOf(object) === key)
  const configMap = (key: string) => configMaps.find((object) => keyOf(object) === key)
  const areThere = [...referred.secrets.values()].every(secret) && [...referred.configMaps.values()].every(configMap)
  if (!areThere || referred.findings.length > 0) return []
  return ingressSettings(ingress, { secret, configMap }, readDefaults({}, { isNginx: true })).findings
}

const classEntries = (ingress: Ingress): readonly AuditEntry[] => {
  const name = ingress.spec.ingressClassName || ingress.metadata.annotations?.[CLASS_ANNOTATION]
  const hasTls = (ingress.spec.tls ?? []).length > 0
  const isSet = annotationsOf(ingress).values['ssl-redirect'] !== undefined
  if (name === 'nginx' || !hasTls || isSet) return []
  const note =
    'plain http is not redirected to https: that is the default of the class nginx alone; set ssl-redirect, or it in the ConfigMap'
  return [entry(ingress, 'spec.tls', 'differs', note)]
}

/** Of the compiler's problems those that do not come from objects that nobody handed in. */
const REPORTED: Readonly<Partial<Record<RouteProblemReason, AuditVerdict>>> = {
  InvalidPath: 'refused',
  ResourceBackendUnsupported: 'refused',
  ExternalNameUnsupported: 'refused',
  AliasConflict: 'refused',
  CanaryWithoutMain: 'refused',
  PassthroughConflict: 'refused',
  ClientAuthConflict: 'refused',
  RouteConflict: 'differs',
  DefaultBackendConflict: 'differs',
  CertificateConflict: 'differs',
}

const compileProblems = (ingresses: readonly Ingress[], { services = [] }: AuditInput): readonly AuditEntry[] => {
  const routes = new Routes()
  for (const ingress of ingresses) routes.setIngress(ingress)
  const service = (key: string) => services.find((object) => keyOf(object) === key)
  routes.compile({ service, slices: () => [], secret: () => undefined, nowMs: 0 })
  return routes.standing().flatMap(({ ingress, reason, message }) => {
    const verdict = REPORTED[reason]
    return verdict === undefined ? [] : [{ ingress, subject: reason, verdict, note: message }]
  })
}
