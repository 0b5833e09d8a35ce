import type { HTTPIngressPath, Ingress, IngressBackend } from '../../api/index.ts'
import { type ClientAuth, canonicalPath, type HostRoutes, type PathRoute, type Target } from '../../l7/table/index.ts'
import { annotationsOf, expression, usesRegex } from '../annotations/index.ts'
import { attachCanaries } from './canaries.ts'
import type { DraftRoute, HostInput } from './host-input.ts'
import { hostName, hostPattern } from './host-pattern.ts'
import { appRoot, closed, hostClientAuth, passthroughTarget } from './host-settings.ts'
import { NeedsBuilder } from './needs.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'
import { targetOf } from './target.ts'
import type { Needs } from './uses.ts'

/** A rule that another one beat. */
export interface LostRoute {
  readonly match: PathRoute['match']
  readonly path: string
  readonly target: Target
  /** The Ingress that keeps the route. */
  readonly winner: string
}

export interface CompiledHost {
  /** Undefined when no rule is for this host. */
  readonly routes: HostRoutes | undefined
  readonly clientAuth: ClientAuth | undefined
  readonly passthrough: Target | undefined
  readonly needs: Needs
  readonly problems: readonly RouteProblem[]
  readonly lost: readonly LostRoute[]
}

const isCanary = (ingress: Ingress): boolean => annotationsOf(ingress).values.canary === true

/** Merges what all Ingresses ask for one host: for each path and type the oldest Ingress wins, the others are told. */
export const compileHost = (input: HostInput): CompiledHost => {
  const sorted = [...input.ingresses].sort(byAge)
  const main = sorted.filter((ingress) => !isCanary(ingress))
  const merge = new HostMerge(input)
  for (const ingress of main) merge.add(ingress)
  const { drafts, fallback, hasRule, problems, lost, needs } = merge
  const withCanaries = attachCanaries(drafts, sorted.filter(isCanary), { ...input, needs, problems })
  const clients = hostClientAuth(main, input, problems)
  const paths = [...withCanaries, ...appRoot(main, withCanaries, input)]
  const open: HostRoutes = fallback === undefined ? { paths } : { paths, fallback }
  const routes = clients.isClosed ? closed(open) : open
  return {
    routes: hasRule ? routes : undefined,
    clientAuth: clients.clientAuth,
    passthrough: passthroughTarget(main, input, { needs, problems }),
    needs: needs.all,
    problems,
    lost,
  }
}

class HostMerge {
  readonly #input: HostInput
  readonly #drafts = new Map<string, DraftRoute>()
  readonly problems: RouteProblem[] = []
  readonly lost: LostRoute[] = []
  readonly needs = new NeedsBuilder()
  fallback: Target | undefined
  hasRule = false

  constructor(input: HostInput) {
    this.#input = input
  }

  get drafts(): readonly DraftRoute[] {
    return [...this.#drafts.values()]
  }

  add(ingress: Ingress): void {
    let names = false
    for (const [i, rule] of (ingress.spec.rules ?? []).entries()) {
      if (hostPattern(rule.host) !== this.#input.ruleHost) continue
      names = true
      for (const [j, path] of (rule.http?.paths ?? []).entries()) this.#addPath(ingress, path, `rules[${i}].http.paths[${j}]`)
    }
    this.hasRule ||= names
    if (!names) return
    this.#tellUnknownHost(ingress)
    const { defaultBackend } = ingress.spec
    if (defaultBackend !== undefined) this.#addFallback(ingress, defaultBackend)
  }

  #addPath(ingress: Ingress, rule: HTTPIngressPath, where: string): void {
    const read = readPath(ingress, rule)
    if ('problem' in read) {
      this.#problem(ingress, 'InvalidPath', `${where}: path ${clip(rule.path)} ${read.problem}`)
      return
    }
    const { match, path } = read
    if (rule.pathType === 'ImplementationSpecific' && match !== 'regex' && REGEX.test(path))
      this.#problem(ingress, 'PathIsNotRegex', `${where}: path ${clip(path)} is matched as a prefix, not as a regular expression`)
    if (rule.backend.service === undefined)
      this.#problem(ingress, 'ResourceBackendUnsupported', `${where}: a resource backend is answered with 503`)
    const key = `${match} ${path}`
    const winner = this.#drafts.get(key)
    if (winner === undefined) {
      const target = this.#target(ingress, rule.backend, { rule: where, match, path, needs: this.needs })
      this.#drafts.set(key, { route: { match, path, target }, ingress, rule })
      return
    }
    const holder = keyOf(winner.ingress)
    const target = this.#target(ingress, rule.backend, { rule: where, match, path, needs: new NeedsBuilder() })
    this.lost.push({ match, path, target, winner: holder })
    this.#problem(
      ingress,
      'RouteConflict',
      `${where}: ${this.#name()} path ${clip(path)} (${match}) is kept by Ingress ${holder}`,
    )
  }

  #addFallback(ingress: Ingress, backend: IngressBackend): void {
    const isFirst = this.fallback === undefined
    const needs = isFirst ? this.needs : new NeedsBuilder()
    const target = this.#target(ingress, backend, { rule: 'defaultBackend', match: 'default', path: '', needs })
    this.fallback ??= target
    if (this.fallback.backend === target.backend) return
    const holder = this.fallback.labels['ingress'] ?? ''
    this.#problem(ingress, 'DefaultBackendConflict', `the default backend of ${this.#name()} is kept by Ingress ${holder}`)
  }

  #target(
    ingress: Ingress,
    backend: IngressBackend,
    at: {
      readonly rule: string
      readonly match: PathRoute['match'] | 'default'
      readonly path: string
      readonly needs: NeedsBuilder
    },
  ): Target {
    const { pattern, hasTls, settings } = this.#input
    const place = { pattern, hasTls, match: at.match, path: at.path }
    return targetOf(ingress, backend, { rule: at.rule, place, settings: settings(ingress), needs: at.needs })
  }

  /** External authentication at the host of the request needs a host that the client cannot choose. */
  #tellUnknownHost(ingress: Ingress): void {
    const { pattern, settings } = this.#input
    const { question } = settings(ingress)
    const isOpen = question !== undefined && question.target.host === undefined && (pattern === '' || pattern.startsWith('*'))
    if (isOpen)
      this.#problem(ingress, 'AnnotationInvalid', `auth-url: $host of ${this.#name()} could be anything; its routes are closed`)
  }

  #name(): string {
    return hostName(this.#input.pattern)
  }

  #problem(ingress: Ingress, reason: RouteProblem['reason'], message: string): void {
    this.problems.push({ ingress: keyOf(ingress), reason, message })
  }
}

const readPath = (
  ingress: Ingress,
  rule: HTTPIngressPath,
): { readonly match: PathRoute['match']; readonly path: string } | { readonly problem: string } => {
  const raw = rule.path === undefined || rule.path === '' ? '/' : rule.path
  if (rule.pathType !== 'Exact' && usesRegex(annotationsOf(ingress).values)) {
    const reading = raw.startsWith('/') ? expression(raw) : ({ ok: false, why: 'a path that begins with /' } as const)
    return reading.ok ? { match: 'regex', path: reading.value } : { problem: `is not ${reading.why}` }
  }
  const path = canonicalPath(raw)
  return path === undefined ? { problem: 'cannot be matched' } : { match: rule.pathType === 'Exact' ? 'exact' : 'prefix', path }
}

/** Characters that mean something in a regular expression and hardly anything in a path. */
const REGEX = /[()*+?[\]{}|^$\\]/
const SHOWN = 100
const clip = (text = ''): string => JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)
