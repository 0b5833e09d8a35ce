import type { Ingress } from '../../api/index.ts'
import type { HostRoutes, RoutePolicy, Template } from '../../l7/table/index.ts'
import { type IngressSettings, redirectsOf } from '../annotations/index.ts'
import { NO_BACKEND } from './backend.ts'
import type { Borrowed } from './claims.ts'
import { hostName } from './host-pattern.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'
import { labelsOf } from './target.ts'

export interface Borrower {
  readonly ingress: Ingress
  readonly borrowed: Borrowed
}

/** Who gets a host that has no rules: an alias before a twin, the oldest of each. */
export const chooseBorrower = (
  borrowers: readonly Borrower[],
  isTaken: boolean,
): { readonly winner: Borrower | undefined; readonly problems: readonly RouteProblem[] } => {
  const sorted = [...borrowers].sort((a, b) => rank(a) - rank(b) || byAge(a.ingress, b.ingress))
  const winner = isTaken ? undefined : sorted[0]
  const losers = sorted.filter((each) => each !== winner && each.borrowed.as === 'alias' && !isSame(each, winner))
  return {
    winner,
    problems: losers.map(({ ingress, borrowed }) => ({
      ingress: keyOf(ingress),
      reason: 'AliasConflict',
      message: `server-alias: ${hostName(borrowed.pattern)} ${winner === undefined ? 'has rules of its own' : `is kept by Ingress ${keyOf(winner.ingress)}`}`,
    })),
  }
}

const rank = ({ borrowed }: Borrower): number => (borrowed.as === 'alias' ? 0 : 1)
const isSame = (a: Borrower, b: Borrower | undefined): boolean => b?.borrowed.as === 'alias' && a.borrowed.of === b.borrowed.of

/** All paths of `www.x` sent to `x`, or the other way round. */
export const twinRoutes = ({ ingress, borrowed }: Borrower, settings: IngressSettings, hasTls: boolean): HostRoutes => {
  const [forced] = redirectsOf({ ...settings, fixedRedirect: undefined, policy: {} }, { hasTls })
  const scheme: Template = forced === undefined ? [{ of: 'scheme' }] : ['https']
  const policy: RoutePolicy = {
    redirects: [
      { status: settings.defaults.redirectStatus, when: 'always', to: [...scheme, `://${borrowed.of}`, { of: 'requestUri' }] },
    ],
  }
  const target = { backend: NO_BACKEND, labels: labelsOf(ingress, 'annotation from-to-www-redirect', undefined), policy }
  return { paths: [{ match: 'prefix', path: '/', target }] }
}
