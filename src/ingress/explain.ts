import type { Ingress } from '../api/index.ts'
import type { Lister } from '../informers/index.ts'
import { type Backend, canonicalHost, canonicalPath, type Match, Matcher, type Target } from '../l7/table/index.ts'
import { annotationsOf, annotationTable } from './annotations/index.ts'
import { type ExplainedCanary, explainCanaries } from './explain-canaries.ts'
import { type ClassDecision, keyOf, type Routes } from './routes/index.ts'

/** Who answers a URL and why. */
export interface Explanation {
  readonly host: string
  /** In the one form that is matched and forwarded. */
  readonly path: string
  /** Undefined: nobody, the answer is 404. */
  readonly chosen: ExplainedRoute | undefined
  readonly backend: Backend | undefined
  /** The status that the engine itself answers with; undefined when it forwards. */
  readonly answer: { readonly status: number; readonly reason: string } | undefined
  /** `namespace/name` of the Secret whose certificate is served; undefined for the default one. */
  readonly certificate: string | undefined
  /** Of the chosen route: which of them takes this request, or a share of such requests. */
  readonly canaries: readonly ExplainedCanary[]
  /** Of the Ingress that was chosen: what acts on the request, and what does not and why. */
  readonly annotations: readonly ExplainedAnnotation[]
  readonly lost: readonly (ExplainedRoute & { readonly why: string })[]
}

interface ExplainedAnnotation {
  readonly ingress: string
  /** With its prefix. */
  readonly name: string
  readonly value: string
  /** `acts`, `acts-otherwise` than in ingress-nginx, or why not: `no-effect`, `refused`, `invalid`, `unknown`. */
  readonly state: 'acts' | 'acts-otherwise' | 'no-effect' | 'refused' | 'invalid' | 'unknown'
  /** What is other, or what is wrong. */
  readonly note: string | undefined
}

export interface ExplainedRoute {
  /** `''` is any host. */
  readonly host: string
  readonly match: 'exact' | 'prefix' | 'regex' | 'default'
  readonly path: string
  readonly ingress: string
  /** Where in its spec. */
  readonly rule: string
  readonly service: string | undefined
}

interface ExplainSources {
  readonly routes: Routes
  readonly ingresses: Lister<Ingress>
  decide(ingress: Ingress): ClassDecision
}

/** Answers with the very matcher and table that the engine uses. */
export const explainUrl = (url: string, sources: ExplainSources, headers: readonly string[] = []): Explanation | undefined => {
  const [, authority = '', rest = '', query = ''] = /^(?:https?:\/\/)?([^/?#]*)([^?#]*)(\?[^#]*)?/i.exec(url) ?? []
  const host = authority === '' ? '' : canonicalHost(authority)
  const path = canonicalPath(rest === '' ? '/' : rest)
  if (host === undefined || path === undefined) return undefined
  const { table } = sources.routes
  const patterns = patternsOf(host)
  const matcher = new Matcher()
  for (const pattern of patterns) {
    const routes = table.hosts.get(pattern)
    if (routes !== undefined) matcher.setHost(pattern, routes)
  }
  matcher.setFallback(table.fallback)
  const match = matcher.match(host, path)
  const backend = match && table.backends.get(match.target.backend)
  const isTls = /^https:/i.test(url)
  return {
    host,
    path,
    chosen: match && explained(match),
    backend,
    answer: ownAnswer(match, backend, isTls),
    certificate: patterns
      .map((pattern) => table.tlsHosts.get(pattern))
      .find((id) => id !== undefined && table.certificates.has(id)),
    canaries:
      match === undefined ? [] : explainCanaries(match.target, table, { method: 'GET', authority, path, query, isTls, headers }),
    annotations: match === undefined ? [] : annotationsOn(match.target, sources),
    lost: [...lostRules(sources, { host, path, patterns, match }), ...ignoredIngresses(sources, patterns)],
  }
}

/** The annotations of the Ingress of a target, and of its canaries. */
const annotationsOn = ({ labels, policy }: Target, { routes }: ExplainSources): readonly ExplainedAnnotation[] => {
  const keys = [labels['ingress'] ?? '', ...(policy?.canaries ?? []).map((canary) => canary.labels['ingress'] ?? '')]
  return [...new Set(keys)].flatMap((key) => {
    const ingress = routes.claims.get(key)
    return ingress === undefined ? [] : explainAnnotations(ingress)
  })
}

const STATES = { honoured: 'acts', differs: 'acts-otherwise', 'no-effect': 'no-effect', refused: 'refused' } as const
const FAULTS = { AnnotationInvalid: 'invalid', AnnotationUnknown: 'unknown', AnnotationRefused: 'refused' } as const

const explainAnnotations = (ingress: Ingress): readonly ExplainedAnnotation[] => {
  const { findings, referred } = annotationsOf(ingress)
  const faults = new Map([...findings, ...referred.findings].map((finding) => [finding.annotation, finding]))
  return Object.entries(ingress.metadata.annotations ?? {}).flatMap(([name, value]) => {
    const row = annotationTable.get(name)
    const fault = faults.get(name)
    const state = fault === undefined ? row && STATES[row.treatment] : FAULTS[fault.reason]
    const shownValue = value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value
    return state === undefined
      ? []
      : [{ ingress: keyOf(ingress), name, value: shownValue, state, note: fault?.message ?? row?.note }]
  })
}

const SHOWN = 200

/** The host patterns that could take a host, most specific first. */
const patternsOf = (host: string): readonly string[] => {
  const dot = host.indexOf('.')
  return [...new Set([host, ...(dot > 0 ? [`*${host.slice(dot)}`] : []), ''])]
}

const ownAnswer = (match: Match | undefined, backend: Backend | undefined, isTls: boolean): Explanation['answer'] => {
  if (match === undefined) return { status: 404, reason: 'no-route' }
  const { refusal, redirects = [], answer } = match.target.policy ?? {}
  if (refusal !== undefined) return refusal
  const redirect = redirects.find(({ when }) => when === 'always' || !isTls)
  if (redirect !== undefined) return { status: redirect.status, reason: 'redirect' }
  if (answer !== undefined) return { status: answer.status, reason: 'fixed-answer' }
  if (backend === undefined || backend.endpoints.length === 0)
    return { status: 503, reason: backend?.unavailable ?? 'no-endpoints' }
  return undefined
}

const explained = ({ pattern, route, target }: Match): ExplainedRoute => ({
  host: pattern ?? '',
  match: route?.match ?? 'default',
  path: route?.path ?? '',
  ...origin(target),
})

const origin = ({ labels }: Target): Pick<ExplainedRoute, 'ingress' | 'rule' | 'service'> => ({
  ingress: labels['ingress'] ?? '',
  rule: labels['rule'] ?? '',
  service: labels['service'],
})

interface Asked {
  readonly host: string
  readonly path: string
  readonly patterns: readonly string[]
  readonly match: Match | undefined
}

const lostRules = ({ routes }: ExplainSources, { host, path, patterns, match }: Asked): Explanation['lost'] => {
  const winnerAt = patterns.findIndex((pattern) => routes.table.hosts.has(pattern))
  return patterns.flatMap((pattern, at) => {
    const lost = routes.lostOf(pattern)
    const rules = (routes.table.hosts.get(pattern)?.paths ?? []).filter(
      (route) => route !== match?.route && !isRoute(route, match),
    )
    return [
      ...rules.map((route) => {
        const alone = new Matcher()
        alone.setHost(pattern, { paths: [route] })
        const takes = alone.match(host, path)?.route !== undefined
        const why = !takes
          ? 'the path does not match'
          : at > winnerAt
            ? 'a more specific host has rules'
            : 'a longer path, or an exact one of the same length, matches'
        return { host: pattern, match: route.match, path: route.path, ...origin(route.target), why }
      }),
      ...lost.map((rule) => ({
        host: pattern,
        match: rule.match,
        path: rule.path,
        ...origin(rule.target),
        why: `Ingress ${rule.winner} is older or has it first`,
      })),
    ]
  })
}

const isRoute = (
  route: { readonly match: string; readonly path: string; readonly target: Target },
  match: Match | undefined,
): boolean =>
  match?.route !== undefined &&
  match.route.match === route.match &&
  match.route.path === route.path &&
  match.route.target.labels['ingress'] === route.target.labels['ingress'] &&
  match.route.target.labels['rule'] === route.target.labels['rule']

/** Ingresses for this host that are not ours: the usual reason why a rule does nothing. */
const ignoredIngresses = ({ ingresses, decide }: ExplainSources, patterns: readonly string[]): Explanation['lost'] =>
  ingresses.list().flatMap((ingress) => {
    const rules = (ingress.spec.rules ?? []).filter((rule) => patterns.includes((rule.host ?? '').toLowerCase()))
    if (rules.length === 0) return []
    const decision = decide(ingress)
    if (decision.isOurs) return []
    const why = CLASS_TEXT[decision.because].replace('%', decision.className ?? '')
    return rules.map((rule) => ({
      host: (rule.host ?? '').toLowerCase(),
      match: 'default' as const,
      path: '',
      ingress: keyOf(ingress),
      rule: 'spec.ingressClassName',
      service: undefined,
      why,
    }))
  })

const CLASS_TEXT = {
  NoClass: 'it names no class, and no default class is ours',
  ClassNotFound: 'there is no IngressClass "%"',
  ForeignClass: 'its class "%" is another controller’s',
} as const
