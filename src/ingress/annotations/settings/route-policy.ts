import type { ExternalAuth, PathRoute, Redirect, RoutePolicy } from '../../../l7/table/index.ts'
import { tlsRedirect } from '../themes/redirects.ts'
import type { IngressSettings } from './ingress-settings.ts'

/** The route that a policy is for. */
export interface RoutePlace {
  /** The host, as a pattern; `''` is any. */
  readonly pattern: string
  readonly match: PathRoute['match'] | 'default'
  readonly path: string
  /** A certificate is served for the host. */
  readonly hasTls: boolean
  /** Backend and labels of the error pages; undefined when there are none. */
  readonly errorBackend: { readonly backend: string; readonly labels: Readonly<Record<string, string>> } | undefined
}

/** The policy of one route; undefined when it says nothing. */
export const routePolicy = (settings: IngressSettings, place: RoutePlace): RoutePolicy | undefined => {
  const { sticky, errorStatuses, policy } = settings
  const redirects = redirectsOf(settings, place)
  const auth = questionOf(settings, place)
  const whole: RoutePolicy = {
    ...policy,
    ...(redirects.length > 0 && { redirects }),
    ...auth,
    ...(sticky && {
      sticky: { ...sticky, path: sticky.path ?? (place.match === 'regex' || place.path === '' ? '/' : place.path) },
    }),
    ...(place.errorBackend && errorStatuses.length > 0 && { errorPages: { statuses: errorStatuses, ...place.errorBackend } }),
  }
  return Object.keys(whole).length === 0 ? undefined : whole
}

export const redirectsOf = (
  { tlsRedirect: when, fixedRedirect, defaults, policy }: IngressSettings,
  { hasTls }: Pick<RoutePlace, 'hasTls'>,
): readonly Redirect[] => [
  ...(when === 'always' || (when === 'with-tls' && hasTls) ? [tlsRedirect(defaults.redirectStatus, defaults.httpsPort)] : []),
  ...(fixedRedirect ? [fixedRedirect] : (policy.redirects ?? [])),
]

const questionOf = (
  { question, isGlobalQuestion, defaults }: IngressSettings,
  { pattern, path }: RoutePlace,
): { readonly externalAuth?: ExternalAuth; readonly refusal?: NonNullable<RoutePolicy['refusal']> } => {
  if (question === undefined) return {}
  if (isGlobalQuestion && defaults.noAuthPaths.some((spared) => path.startsWith(spared))) return {}
  const { scheme, port } = question.target
  const host = question.target.host ?? (isPlainHost(pattern) ? pattern : undefined)
  // A client that chooses the host would choose who says yes.
  if (host === undefined) return { refusal: { status: 503, reason: 'auth-unreadable' } }
  return { externalAuth: { ...question, target: { scheme, host, port } } }
}

const isPlainHost = (pattern: string): boolean => pattern !== '' && !pattern.startsWith('*')
