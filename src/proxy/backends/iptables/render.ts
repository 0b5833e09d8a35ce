import { chanceOf, type Rule } from '../../../kernel/iptables/index.ts'
import type { Forwarding, Frontend, Route, Target } from '../../../model/index.ts'
import {
  type ChainLayout,
  jump,
  type ListItem,
  MARK_MASQ,
  MARK_OUTSIDE,
  NODE_PORTS,
  nodePortAddresses,
  podRanges,
  RETURN,
  SERVICES,
} from './layout.ts'
import { targetText } from './names.ts'
import { at, CLASSES, commented, isCarried, type PortView, portView, type RenderContext, type Rendered } from './port-view.ts'
import { externalLayouts } from './render-external.ts'
import { filterItems, healthCheckItems, undefinedPorts } from './render-filter.ts'

/** The chains and list rules of one Service. */
export const renderForwarding = (forwarding: Forwarding, context: RenderContext): Rendered => {
  const ports = forwarding.ports.map((port) => renderPort(portView(forwarding, port, context)))
  return {
    chains: ports.flatMap(({ chains }) => chains),
    items: [...ports.flatMap(({ items }) => items), ...healthCheckItems(forwarding), ...undefinedPorts(forwarding, context)],
  }
}

const SETS = ['cluster', 'local'] as const

const renderPort = (view: PortView): Rendered => {
  const { port } = view
  const carried = port.frontends.filter((frontend) => CLASSES.some((source) => isCarried(view, frontend.routes[source])))
  const used = SETS.filter((set) => carried.some(({ routes }) => CLASSES.some((source) => routes[source].set === set)))
  const targets = new Map(used.flatMap((set) => port[set].map((target) => [targetText(target), target])))
  return {
    chains: [
      ...[...targets.values()].map((target) => endpointLayout(view, target)),
      ...used.filter((set) => port[set].length > 0).map((set) => setLayout(view, set)),
      ...externalLayouts(view, carried),
    ],
    items: [
      ...carried.flatMap((frontend) => natItem(view, frontend)),
      ...port.frontends.flatMap((frontend) => [...ownAddressItem(view, frontend), ...filterItems(view, frontend)]),
    ],
  }
}

/** The endpoint's chain: marks the endpoint that reached itself, remembers the client, translates. */
const endpointLayout = (view: PortView, target: Target): ChainLayout => {
  const chain = view.chainOf(target)
  const comment = commented(view, view.name)
  const remember = view.port.affinityTimeoutSeconds === undefined ? {} : { recent: { kind: 'set', list: chain } as const }
  return {
    table: 'nat',
    chain,
    rules: [
      { ...comment, source: { cidr: target.address }, target: jump(MARK_MASQ) },
      { ...comment, protocol: view.protocol, ...remember, target: { kind: 'dnat', to: targetText(target) } },
    ],
  }
}

/** Chooses among a set: whom the client was at, or at random, the last by certainty. */
const setLayout = (view: PortView, set: Route['set']): ChainLayout => {
  const { port, name, chains } = view
  const targets = port[set].map((target) => ({
    chain: view.chainOf(target),
    text: `${name} -> ${targetText(target)}`,
  }))
  const seconds = port.affinityTimeoutSeconds
  const remembered = seconds === undefined ? [] : targets
  return {
    table: 'nat',
    chain: chains[set],
    rules: [
      ...clusterIPMasquerade(view, set),
      ...remembered.map(({ chain, text }) => ({
        ...commented(view, text),
        recent: { kind: 'check', list: chain, seconds: seconds ?? 0 } as const,
        target: jump(chain),
      })),
      ...targets.map(({ chain, text }, index) => ({
        ...commented(view, text),
        ...(index === targets.length - 1 ? {} : { chance: chanceOf(targets.length - index) }),
        target: jump(chain),
      })),
    ],
  }
}

const clusterIPMasquerade = (view: PortView, set: Route['set']): readonly Rule[] => {
  const { port, name, context } = view
  const frontend = port.frontends.find(({ kind }) => kind === 'ClusterIP')
  if (frontend === undefined || frontend.routes.outside.set !== set) return []
  const rule = { ...at(view, frontend), ...commented(view, `${name} cluster IP`), target: jump(MARK_MASQ) }
  const masqueraded = CLASSES.filter((source) => frontend.routes[source].masquerade === 'always').join(' ')
  const [first, second] = podRanges(context)
  switch (masqueraded) {
    case '':
      return []
    case 'pod node outside':
      return [rule]
    case 'outside':
      if (second !== undefined) return [{ ...rule, target: jump(MARK_OUTSIDE) }]
      return [{ ...rule, ...(first === undefined ? {} : { source: { cidr: first, not: true } }), sourceIsLocal: false }]
    default:
      throw new Error(`iptables: no rule masquerades a ClusterIP's traffic from ${masqueraded} only`)
  }
}

const KINDS = { ClusterIP: 'cluster IP', LoadBalancer: 'loadbalancer IP', ExternalIP: 'external IP', NodePort: '' } as const

/** From the lists to the port's chains. */
const natItem = (view: PortView, frontend: Frontend): readonly ListItem[] => {
  const { name, chains } = view
  const comment = `${name} ${KINDS[frontend.kind]}`.trim()
  const chain =
    frontend.kind === 'ClusterIP'
      ? chains[frontend.routes.outside.set]
      : frontend.allowedSources === undefined
        ? chains.external
        : chains.firewall
  const rule = { ...at(view, frontend), comment, target: jump(chain) }
  return frontend.kind === 'NodePort'
    ? [{ table: 'nat', chain: NODE_PORTS, place: 'last', rule }]
    : [{ table: 'nat', chain: SERVICES, place: 'first', rule }]
}

/** Another Service's NodePort must not take what an address of this node, named by this Service, leaves over. */
const ownAddressItem = (view: PortView, frontend: Frontend): readonly ListItem[] => {
  const { address } = frontend
  if (address === undefined || !nodePortAddresses(view.context).includes(address)) return []
  return [{ table: 'nat', chain: NODE_PORTS, place: 'first', rule: { ...at(view, frontend), target: RETURN } }]
}
