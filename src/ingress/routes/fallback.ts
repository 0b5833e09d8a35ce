import type { Ingress } from '../../api/index.ts'
import type { Target } from '../../l7/table/index.ts'
import { targetOf } from './host.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'

export interface CompiledFallback {
  readonly target: Target | undefined
  readonly problems: readonly RouteProblem[]
}

/**
 * What takes the requests that no host takes: the default backend of the oldest Ingress that is nothing but a default backend, else of
 * the oldest that has one beside its rules.
 */
export const compileFallback = (ingresses: readonly Ingress[]): CompiledFallback => {
  const candidates = ingresses.filter(({ spec }) => spec.defaultBackend !== undefined).sort(byAge)
  const pure = candidates.filter(({ spec }) => (spec.rules ?? []).length === 0)
  const winner = pure[0] ?? candidates[0]
  if (winner?.spec.defaultBackend === undefined) return { target: undefined, problems: [] }
  const target = targetOf(winner, winner.spec.defaultBackend, 'defaultBackend')
  const losers = pure
    .slice(1)
    .filter(({ spec }) => spec.defaultBackend && targetOf(winner, spec.defaultBackend, '').backend !== target.backend)
  const conflicts = losers.map((loser) => ({
    ingress: keyOf(loser),
    reason: 'DefaultBackendConflict' as const,
    message: `the default backend of all hosts is kept by Ingress ${keyOf(winner)}`,
  }))
  const refused = candidates
    .filter(({ spec }) => spec.defaultBackend?.service === undefined)
    .map((ingress) => ({
      ingress: keyOf(ingress),
      reason: 'ResourceBackendUnsupported' as const,
      message: 'defaultBackend: a resource backend is answered with 503',
    }))
  return { target, problems: [...conflicts, ...refused] }
}
