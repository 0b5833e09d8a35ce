import type { Ingress } from '../../api/index.ts'
import type { Target } from '../../l7/table/index.ts'
import { type IngressSettings, REFUSALS } from '../annotations/index.ts'
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
  const open = targetOf(winner, winner.spec.defaultBackend, options)
  const guarded = settings(winner).clientAuth !== undefined
  // Certificates are asked for by host, and this takes the requests of no host.
  const target = guarded ? { ...open, policy: { ...open.policy, refusal: REFUSALS['client-certificates'] } } : open
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
  const message = 'auth-tls-secret: certificates are asked for by host; the default backend of all hosts is closed'
  const closed = guarded ? [{ ingress: keyOf(winner), reason: 'AnnotationInvalid' as const, message }] : []
  return { target, needs: needs.all, problems: [...conflicts, ...refused, ...closed] }
}

const backendOf = (ingress: Ingress): string | undefined =>
  ingress.spec.defaultBackend && (referenceOf(ingress, ingress.spec.defaultBackend)?.id ?? RESOURCE_BACKEND)
