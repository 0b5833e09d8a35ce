import type { HostPattern, HostRoutes, PathRoute, Target } from './route-table.ts'

/** Where a request goes and by which rule; `pattern` is undefined when no host took it. */
export interface Match {
  readonly pattern: HostPattern | undefined
  /** Undefined when a fallback took it. */
  readonly route: PathRoute | undefined
  readonly target: Target
}

/**
 * Finds routes: a hash lookup on the host and a walk over the path's elements, whatever the number of rules.
 * A precise host wins over a wildcard, a wildcard over any; a path that the chosen host lacks goes to the host's
 * fallback, then to the table's, never to a less specific host. In a host the longest rule path wins, and an
 * exact one over a prefix of the same length.
 */
export class Matcher {
  readonly #hosts = new Map<HostPattern, CompiledHost>()
  #fallback: Match | undefined

  setHost(pattern: HostPattern, routes: HostRoutes): void {
    this.#hosts.set(pattern, compileHost(pattern, routes))
  }

  removeHost(pattern: HostPattern): void {
    this.#hosts.delete(pattern)
  }

  setFallback(target: Target | undefined): void {
    this.#fallback = target && { pattern: undefined, route: undefined, target }
  }

  /** `host` and `path` in canonical form; an empty host matches only the rules for any host. */
  match(host: string, path: string): Match | undefined {
    const compiled = this.#host(host)
    if (compiled === undefined) return this.#fallback
    return findPath(compiled, path) ?? compiled.fallback ?? this.#fallback
  }

  #host(host: string): CompiledHost | undefined {
    const precise = host === '' ? undefined : this.#hosts.get(host)
    if (precise !== undefined) return precise
    const dot = host.indexOf('.')
    const wildcard = dot > 0 ? this.#hosts.get(`*${host.slice(dot)}`) : undefined
    return wildcard ?? this.#hosts.get('')
  }
}

interface CompiledHost {
  readonly exact: ReadonlyMap<string, Match> | undefined
  readonly root: Node
  readonly fallback: Match | undefined
}

interface Node {
  children: Map<string, Node> | undefined
  prefix: Match | undefined
}

const compileHost = (pattern: HostPattern, routes: HostRoutes): CompiledHost => {
  const exact = new Map<string, Match>()
  const root: Node = { children: undefined, prefix: undefined }
  for (const route of routes.paths) {
    const match: Match = { pattern, route, target: route.target }
    if (route.match === 'prefix') addPrefix(root, match, route.path)
    else if (!exact.has(route.path)) exact.set(route.path, match)
  }
  return {
    exact: exact.size === 0 ? undefined : exact,
    root,
    fallback: routes.fallback && { pattern, route: undefined, target: routes.fallback },
  }
}

const addPrefix = (root: Node, match: Match, path: string): void => {
  let node = root
  for (const element of path.split('/')) {
    if (element === '') continue
    node.children ??= new Map()
    let child = node.children.get(element)
    if (child === undefined) {
      child = { children: undefined, prefix: undefined }
      node.children.set(element, child)
    }
    node = child
  }
  // `/foo` and `/foo/` take the same requests; the longer wins.
  if (node.prefix === undefined || path.length > ruleLength(node.prefix)) node.prefix = match
}

const ruleLength = (match: Match): number => match.route?.path.length ?? 0

const findPath = (host: CompiledHost, path: string): Match | undefined => {
  const prefix = longestPrefix(host.root, path)
  if (host.exact === undefined) return prefix
  const exact = host.exact.get(path)
  if (exact === undefined || prefix === undefined) return exact ?? prefix
  return ruleLength(exact) >= ruleLength(prefix) ? exact : prefix
}

const longestPrefix = (root: Node, path: string): Match | undefined => {
  let node = root
  let best = root.prefix
  let start = 1
  while (node.children !== undefined && start < path.length) {
    const slash = path.indexOf('/', start)
    const end = slash === -1 ? path.length : slash
    const child = node.children.get(path.slice(start, end))
    if (child === undefined) break
    node = child
    best = child.prefix ?? best
    start = end + 1
  }
  return best
}
