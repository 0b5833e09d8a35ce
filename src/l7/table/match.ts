import { RE2JS } from 're2js'
import type { HostPattern, HostRoutes, PathRoute, Target } from './route-table.ts'

/** Where a request goes and by which rule; `pattern` is undefined when no host took it. */
export interface Match {
  readonly pattern: HostPattern | undefined
  /** Undefined when a fallback took it. */
  readonly route: PathRoute | undefined
  readonly target: Target
  /** Of a route with a regular expression; the first is the whole match. */
  readonly captures?: readonly string[]
}

/**
 * Finds routes: a hash lookup on the host and a walk over the path's elements, whatever the number of rules.
 * A precise host wins over a wildcard, a wildcard over any; a path that the chosen host lacks goes to the host's
 * fallback, then to the table's, never to a less specific host. In a host the longest rule path wins; an exact one wins over
 * every expression and over a prefix of the same length, an expression over a prefix of the same length. Expressions are
 * tried one after another, each in linear time (RE2).
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
  /** The longest first. */
  readonly expressions: readonly Expression[]
  readonly fallback: Match | undefined
}

interface Expression {
  readonly match: Match
  readonly length: number
  readonly pattern: RE2JS
}

interface Node {
  children: Map<string, Node> | undefined
  prefix: Match | undefined
}

const compileHost = (pattern: HostPattern, routes: HostRoutes): CompiledHost => {
  const exact = new Map<string, Match>()
  const root: Node = { children: undefined, prefix: undefined }
  const expressions: Expression[] = []
  for (const route of routes.paths) {
    const match: Match = { pattern, route, target: route.target }
    if (route.match === 'regex') expressions.push({ match, length: route.path.length, pattern: compileExpression(route.path) })
    else if (route.match === 'prefix') addPrefix(root, match, route.path)
    else if (!exact.has(route.path)) exact.set(route.path, match)
  }
  return {
    exact: exact.size === 0 ? undefined : exact,
    root,
    expressions: expressions.sort((a, b) => b.length - a.length),
    fallback: routes.fallback && { pattern, route: undefined, target: routes.fallback },
  }
}

/** From the start of the path on, without case, as ingress-nginx has its locations. */
const compileExpression = (source: string): RE2JS => RE2JS.compile(`^(?:${source})`, RE2JS.CASE_INSENSITIVE)

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
  const exact = host.exact?.get(path)
  const isExact = exact !== undefined && (prefix === undefined || ruleLength(exact) >= ruleLength(prefix))
  const plain = isExact ? exact : prefix
  if (host.expressions.length === 0 || isExact) return plain
  return matchExpression(host.expressions, path, plain === undefined ? 0 : ruleLength(plain)) ?? plain
}

/** The first expression at least this long that takes the path. */
const matchExpression = (expressions: readonly Expression[], path: string, length: number): Match | undefined => {
  for (const expression of expressions) {
    if (expression.length < length) return undefined
    const matcher = expression.pattern.matcher(path)
    if (!matcher.find()) continue
    const captures = Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '')
    return { ...expression.match, captures }
  }
  return undefined
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
