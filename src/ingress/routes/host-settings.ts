import type { Ingress } from '../../api/index.ts'
import type { ClientAuth, HostRoutes, PathRoute, RoutePolicy, Target } from '../../l7/table/index.ts'
import { annotationsOf, REFUSALS, redirectsOf } from '../annotations/index.ts'
import { NO_BACKEND, referenceOf } from './backend.ts'
import type { HostInput } from './host-input.ts'
import { hostName, hostPattern } from './host-pattern.ts'
import type { NeedsBuilder } from './needs.ts'
import { keyOf, type RouteProblem, type RouteProblemReason } from './problem.ts'
import { labelsOf } from './target.ts'

/*
 * What holds for a whole host, whichever Ingress asked: the oldest that asks decides, the others are told.
 * `main` are the host's Ingresses, oldest first, without canaries.
 */

const conflict = (ingress: Ingress, reason: RouteProblemReason, message: string): RouteProblem => ({
  ingress: keyOf(ingress),
  reason,
  message,
})

/** What is asked of clients. Closed when that cannot be read: a host without its check is open to everybody. */
export const hostClientAuth = (
  main: readonly Ingress[],
  { pattern, settings }: HostInput,
  problems: RouteProblem[],
): { readonly clientAuth: ClientAuth | undefined; readonly isClosed: boolean } => {
  const [winner, ...others] = main.filter((ingress) => settings(ingress).clientAuth !== undefined)
  const isClosed = main.some((ingress) => settings(ingress).closesHost)
  const asked = winner && settings(winner).clientAuth
  if (winner === undefined || asked === undefined) return { clientAuth: undefined, isClosed }
  for (const ingress of others) {
    if (JSON.stringify(settings(ingress).clientAuth) === JSON.stringify(asked)) continue
    const message = `auth-tls-*: what is asked of clients of ${hostName(pattern)} is kept by Ingress ${keyOf(winner)}`
    problems.push(conflict(ingress, 'ClientAuthConflict', message))
  }
  return asked.ca === undefined
    ? { clientAuth: undefined, isClosed: true }
    : { clientAuth: { ...asked.settings, ca: asked.ca }, isClosed }
}

/** Every route of the host refused. */
export const closed = ({ paths, fallback }: HostRoutes): HostRoutes => {
  const refusal = REFUSALS['client-certificates']
  const shut = (target: Target): Target => ({ ...target, policy: { ...target.policy, refusal } })
  return {
    paths: paths.map((route) => ({ ...route, target: shut(route.target) })),
    ...(fallback && { fallback: shut(fallback) }),
  }
}

/** The path `/` sent elsewhere, in place of what it led to. */
export const appRoot = (main: readonly Ingress[], paths: readonly PathRoute[], { hasTls, settings }: HostInput): PathRoute[] => {
  const ingress = main.find((each) => annotationsOf(each).values['app-root'] !== undefined)
  const root = ingress && annotationsOf(ingress).values['app-root']
  if (ingress === undefined || root === undefined || root === '/') return []
  // The Matcher takes the first of equal exact paths; an Ingress that asked for exactly / keeps it.
  if (paths.some(({ match, path }) => match === 'exact' && path === '/')) return []
  const own = settings(ingress)
  const policy: RoutePolicy = {
    ...(own.policy.refusal && { refusal: own.policy.refusal }),
    redirects: [
      ...redirectsOf({ ...own, fixedRedirect: undefined, policy: {} }, { hasTls }),
      { status: 302, when: 'always', to: [root] },
    ],
  }
  const labels = labelsOf(ingress, 'annotation app-root', undefined)
  return [{ match: 'exact', path: '/', target: { backend: NO_BACKEND, labels, policy } }]
}

/** Where TLS connections of the host go unopened: to the pods of the path `/` of its oldest Ingress, when that one asks for it. */
export const passthroughTarget = (
  main: readonly Ingress[],
  { pattern, ruleHost, settings }: HostInput,
  { needs, problems }: { readonly needs: NeedsBuilder; readonly problems: RouteProblem[] },
): Target | undefined => {
  const asks = (ingress: Ingress): boolean => annotationsOf(ingress).values['ssl-passthrough'] === true
  const [oldest] = main
  if (oldest === undefined || !main.some(asks)) return undefined
  if (!asks(oldest)) {
    const message = `ssl-passthrough: the TLS of ${hostName(pattern)} is kept by Ingress ${keyOf(oldest)}`
    problems.push(...main.filter(asks).map((ingress) => conflict(ingress, 'PassthroughConflict', message)))
    return undefined
  }
  const rule = (oldest.spec.rules ?? []).find(
    ({ host, http }) => hostPattern(host) === ruleHost && (http?.paths ?? []).some(isRoot),
  )
  const root = rule?.http?.paths.find(isRoot)
  const reference = root && referenceOf(oldest, root.backend)
  // Whoever closes a host by client certificates must not be walked around at a lower layer.
  const isGuarded = main.some((ingress) => settings(ingress).clientAuth !== undefined)
  if (reference === undefined || pattern === '' || isGuarded) {
    const why =
      pattern === '' ? 'a host' : isGuarded ? 'a host that asks for no client certificates' : 'a Service behind the path /'
    problems.push(conflict(oldest, 'AnnotationInvalid', `ssl-passthrough needs ${why}; TLS of ${hostName(pattern)} ends here`))
    return undefined
  }
  needs.add(reference, keyOf(oldest))
  return { backend: reference.id, labels: labelsOf(oldest, 'annotation ssl-passthrough', reference) }
}

const isRoot = ({ path }: { readonly path?: string }): boolean => path === undefined || path === '' || path === '/'
