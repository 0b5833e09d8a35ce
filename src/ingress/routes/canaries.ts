import type { HTTPIngressPath, Ingress } from '../../api/index.ts'
import type { Canary, PathRoute } from '../../l7/table/index.ts'
import { annotationsOf, type BackendSettings, canaryRule } from '../annotations/index.ts'
import { referenceOf } from './backend.ts'
import type { DraftRoute, HostInput } from './host-input.ts'
import { hostName, hostPattern } from './host-pattern.ts'
import type { NeedsBuilder } from './needs.ts'
import { keyOf, type RouteProblem } from './problem.ts'
import { labelsOf } from './target.ts'

interface CanaryContext extends Pick<HostInput, 'pattern' | 'ruleHost'> {
  readonly needs: NeedsBuilder
  readonly problems: RouteProblem[]
}

/** Gives the rules of canary Ingresses, oldest first, to the routes of the same path and type. */
export const attachCanaries = (
  drafts: readonly DraftRoute[],
  canaries: readonly Ingress[],
  context: CanaryContext,
): readonly PathRoute[] => {
  if (canaries.length === 0) return drafts.map(({ route }) => route)
  const found = new Map<DraftRoute, Canary[]>()
  const byRule = new Map(drafts.map((draft) => [ruleKey(draft.rule), draft]))
  for (const ingress of canaries) {
    for (const { rule, where } of rulesFor(ingress, context.ruleHost)) {
      const canary = canaryOf(ingress, { rule, where, main: byRule.get(ruleKey(rule)) }, context)
      if (canary === undefined) continue
      const list = found.get(canary.main)
      if (list === undefined) found.set(canary.main, [canary.canary])
      else list.push(canary.canary)
    }
  }
  return drafts.map((draft) => {
    const { route } = draft
    const list = found.get(draft)
    return list === undefined
      ? route
      : { ...route, target: { ...route.target, policy: { ...route.target.policy, canaries: list } } }
  })
}

const ruleKey = ({ path, pathType }: DraftRoute['rule']): string => `${pathType} ${path || '/'}`

const rulesFor = (ingress: Ingress, host: string): readonly { readonly rule: HTTPIngressPath; readonly where: string }[] =>
  (ingress.spec.rules ?? []).flatMap((rule, i) =>
    hostPattern(rule.host) === host
      ? (rule.http?.paths ?? []).map((path, j) => ({ rule: path, where: `rules[${i}].http.paths[${j}]` }))
      : [],
  )

const canaryOf = (
  ingress: Ingress,
  { rule, where, main }: { readonly rule: HTTPIngressPath; readonly where: string; readonly main: DraftRoute | undefined },
  { pattern, needs, problems }: CanaryContext,
): { readonly main: DraftRoute; readonly canary: Canary } | undefined => {
  const tell = (message: string): undefined => {
    problems.push({ ingress: keyOf(ingress), reason: 'CanaryWithoutMain', message: `${where}: ${message}` })
  }
  if (main === undefined) return tell(`no other Ingress has this path and type for ${hostName(pattern)}`)
  if (main.ingress.metadata.namespace !== ingress.metadata.namespace)
    return tell(`the main Ingress ${keyOf(main.ingress)} is in another namespace`)
  const { values } = annotationsOf(ingress)
  const reference = referenceOf(ingress, rule.backend, canarySettings(ingress, main.ingress))
  const asked = canaryRule(values)
  if (reference === undefined || asked === undefined) return tell('a resource backend takes no part of the requests')
  needs.add(reference, keyOf(ingress))
  return { main, canary: { backend: reference.id, labels: labelsOf(ingress, where, reference), ...asked } }
}

/** A canary's pods are reached as the main ones are; only the balancing is its own. */
const canarySettings = (canary: Ingress, main: Ingress): BackendSettings => {
  const { balance: _, standIn: __, ...rest } = annotationsOf(main).backend
  const { balance } = annotationsOf(canary).backend
  return { ...rest, ...(balance && { balance }) }
}
