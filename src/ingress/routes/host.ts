import type { HTTPIngressPath, Ingress, IngressBackend } from '../../api/index.ts'
import { canonicalPath, type HostRoutes, type PathRoute, type Target } from '../../l7/table/index.ts'
import { RESOURCE_BACKEND, referenceOf } from './backend.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'

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
  readonly problems: readonly RouteProblem[]
  readonly lost: readonly LostRoute[]
}

/** A rule's host as the table spells it; no host is `''`. */
export const hostPattern = (host: string | undefined): string => (host ?? '').toLowerCase()

/** Merges what all Ingresses ask for one host: for each path and type the oldest Ingress wins, the others are told. */
export const compileHost = (pattern: string, ingresses: readonly Ingress[]): CompiledHost => {
  const merge = new HostMerge(pattern)
  for (const ingress of [...ingresses].sort(byAge)) merge.add(ingress)
  return merge.result()
}

class HostMerge {
  readonly #pattern: string
  readonly #paths = new Map<string, PathRoute>()
  readonly #problems: RouteProblem[] = []
  readonly #lost: LostRoute[] = []
  #fallback: Target | undefined
  #hasRule = false

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  add(ingress: Ingress): void {
    let names = false
    for (const [i, rule] of (ingress.spec.rules ?? []).entries()) {
      if (hostPattern(rule.host) !== this.#pattern) continue
      names = true
      for (const [j, path] of (rule.http?.paths ?? []).entries()) this.#addPath(ingress, path, `rules[${i}].http.paths[${j}]`)
    }
    this.#hasRule ||= names
    const { defaultBackend } = ingress.spec
    if (names && defaultBackend !== undefined) this.#addFallback(ingress, defaultBackend)
  }

  result(): CompiledHost {
    const paths = [...this.#paths.values()]
    const routes: HostRoutes = this.#fallback === undefined ? { paths } : { paths, fallback: this.#fallback }
    return { routes: this.#hasRule ? routes : undefined, problems: this.#problems, lost: this.#lost }
  }

  #addPath(ingress: Ingress, rule: HTTPIngressPath, where: string): void {
    const path = canonicalPath(rule.path === undefined || rule.path === '' ? '/' : rule.path)
    if (path === undefined) {
      this.#problem(ingress, 'InvalidPath', `${where}: path ${clip(rule.path)} cannot be matched`)
      return
    }
    if (rule.pathType === 'ImplementationSpecific' && REGEX.test(path))
      this.#problem(ingress, 'PathIsNotRegex', `${where}: path ${clip(path)} is matched as a prefix, not as a regular expression`)
    if (rule.backend.service === undefined)
      this.#problem(ingress, 'ResourceBackendUnsupported', `${where}: a resource backend is answered with 503`)
    const match = rule.pathType === 'Exact' ? 'exact' : 'prefix'
    const target = targetOf(ingress, rule.backend, where)
    const key = `${match} ${path}`
    const winner = this.#paths.get(key)
    if (winner === undefined) {
      this.#paths.set(key, { match, path, target })
      return
    }
    const holder = winner.target.labels['ingress'] ?? ''
    this.#lost.push({ match, path, target, winner: holder })
    this.#problem(
      ingress,
      'RouteConflict',
      `${where}: ${this.#name()} path ${clip(path)} (${match}) is kept by Ingress ${holder}`,
    )
  }

  #addFallback(ingress: Ingress, backend: IngressBackend): void {
    const target = targetOf(ingress, backend, 'defaultBackend')
    if (this.#fallback === undefined) {
      this.#fallback = target
      return
    }
    if (this.#fallback.backend === target.backend) return
    const holder = this.#fallback.labels['ingress'] ?? ''
    this.#problem(ingress, 'DefaultBackendConflict', `the default backend of ${this.#name()} is kept by Ingress ${holder}`)
  }

  #name(): string {
    return this.#pattern === '' ? 'any host' : `host ${this.#pattern}`
  }

  #problem(ingress: Ingress, reason: RouteProblem['reason'], message: string): void {
    this.#problems.push({ ingress: keyOf(ingress), reason, message })
  }
}

/** Characters that mean something in a regular expression and hardly anything in a path. */
const REGEX = /[()*+?[\]{}|^$\\]/
const SHOWN = 100
const clip = (text = ''): string => JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)

export const targetOf = (ingress: Ingress, backend: IngressBackend, rule: string): Target => {
  const reference = referenceOf(ingress, backend)
  const labels = { ingress: keyOf(ingress), rule }
  if (reference === undefined) return { backend: RESOURCE_BACKEND, labels }
  return { backend: reference.id, labels: { ...labels, service: `${reference.namespace}/${reference.service}` } }
}
