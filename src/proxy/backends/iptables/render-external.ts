import type { Rule } from '../../../kernel/iptables/index.ts'
import type { Frontend, Route } from '../../../model/index.ts'
import { type ChainLayout, jump, MARK_MASQ, podRanges, RETURN, within } from './layout.ts'
import { commented, isCarried, type PortView } from './port-view.ts'

/** The chains that external destinations of a port share: by source class to the sets, and before that by allowed sources. */
export const externalLayouts = (view: PortView, carried: readonly Frontend[]): readonly ChainLayout[] => {
  const [external] = carried.filter(({ kind }) => kind !== 'ClusterIP')
  if (external === undefined) return []
  const { pod, node, outside } = external.routes
  const isAlike = [pod, node].every(({ set, masquerade }) => set === outside.set && masquerade === outside.masquerade)
  const rules = isAlike ? [] : [...podRules(view, pod), ...nodeRules(view, node)]
  return [
    { table: 'nat', chain: view.chains.external, rules: [...rules, ...outsideRules(view, outside)] },
    ...firewallLayout(view, carried),
  ]
}

const podRules = (view: PortView, route: Route): readonly Rule[] =>
  podRanges(view.context).flatMap((cidr): readonly Rule[] => {
    const rule = { ...commented(view, `pod traffic for ${view.name} external destinations`), source: { cidr } }
    return [...marked(route, rule), { ...rule, target: toSet(view, route) ?? RETURN }]
  })

const nodeRules = (view: PortView, route: Route): readonly Rule[] => {
  const text = `LOCAL traffic for ${view.name} external destinations`
  return [
    ...marked(route, { ...commented(view, `masquerade ${text}`), sourceIsLocal: true }),
    { ...commented(view, `route ${text}`), sourceIsLocal: true, target: toSet(view, route) ?? RETURN },
  ]
}

const outsideRules = (view: PortView, route: Route): readonly Rule[] => {
  const target = toSet(view, route)
  if (target === undefined) return []
  return [...marked(route, commented(view, `masquerade traffic for ${view.name} external destinations`)), { target }]
}

const marked = (route: Route, rule: Rule): readonly Rule[] =>
  route.masquerade === 'always' ? [{ ...rule, target: jump(MARK_MASQ) }] : []

const toSet = (view: PortView, route: Route): Rule['target'] =>
  isCarried(view, route) ? jump(view.chains[route.set]) : undefined

/** Lets allowed sources of the VIPs go on; others come back and are dropped in the filter table. */
const firewallLayout = (view: PortView, carried: readonly Frontend[]): readonly ChainLayout[] => {
  const restricted = carried.filter(({ allowedSources }) => allowedSources !== undefined)
  const [first] = restricted
  if (first === undefined) return []
  const comment = commented(view, `${view.name} loadbalancer IP`)
  const target = jump(view.chains.external)
  const rules = [
    // Ranges belong to the Service, so they are the same for all its VIPs.
    ...(first.allowedSources?.ranges ?? []).map((range) => ({ ...comment, ...within(range), target })),
    ...restricted.flatMap(({ address, allowedSources }) =>
      address === undefined || allowedSources?.vip !== true
        ? []
        : [{ ...comment, source: { cidr: address }, destination: { cidr: address }, target }],
    ),
  ]
  return [{ table: 'nat', chain: view.chains.firewall, rules }]
}
