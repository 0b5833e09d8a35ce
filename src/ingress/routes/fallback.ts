import type { Ingress } from '../../api/index.ts'
import type { Target } from '../../l7/table/index.ts'
import type { IngressSettings } from '../annotations/index.ts'
import { RESOURCE_BACKEND, referenceOf } from './backend.ts'
import { NeedsBuilder } from './needs.ts'
import { byAge, keyOf, type RouteProblem } from './problem.ts'
import { targetOf } from './target.ts'
import type { Needs } from './uses.ts'

export interface CompiledFallback {
  readonly target: Target | undefined
  readonly needs: Needs
  readonly problems: readonly RouteProblem[]
}

interface FallbackInput {
  readonly ingresses: readonly Ingress[]
  readonly hasTls: boolean
  settings(ingress: Ingress): IngressSettings
}

/**
 * What takes the requests that no host takes: the default backend of the oldest Ingress that is nothing but a default backend, else of
 * the oldest that has one beside its rules.
 */
export const compileFallback = ({ ingresses, hasTls, settings }: FallbackInput): CompiledFallback => {
  const needs = new NeedsBuilder()
  const candidates = ingresses.filter(({ spec }) => spec.defaultBackend !== undefined).sort(byAge)
  const pure = candidates.filter(({ spec }) => (spec.rules ?? []).length === 0)
  const winner = pure[0] ?? candidates[0]
  if (winner?.spec.defaultBackend === undefined) return { target: undefined, needs: needs.all, problems: [] }
  const place = { pattern: '', match: 'default', path: '', hasTls } as const
  const options = { rule: 'defaultBackend', place, settings: settings(winner), needs }
  const target = targetOf(winner, winner.spec.defaultBackend, options)
  const losers = pure.slice(1).filter((ingress) => backendOf(ingress) !== target.backend)
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
  return { target, needs: needs.all, problems: [...conflicts, ...refused] }
}

const backendOf = (ingress: Ingress): string | undefined =>
  ingress.spec.defaultBackend && (referenceOf(ingress, ingress.spec.defaultBackend)?.id ?? RESOURCE_BACKEND)
