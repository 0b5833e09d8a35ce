import { cidrContains, parseCIDR, readAddress } from '../../../ip/index.ts'
import type { Rule } from '../../../kernel/iptables/index.ts'
import type { Forwarding, Frontend } from '../../../model/index.ts'
import {
  EXTERNAL_SERVICES,
  FIREWALL,
  type ListItem,
  NODE_PORTS,
  nodePortAddresses,
  REFUSE,
  refuseAll,
  SERVICES,
  within,
} from './layout.ts'
import { at, CLASSES, isCarried, type PortView, type RenderContext } from './port-view.ts'

/** What becomes of packets that the nat table did not translate. */
export const filterItems = (view: PortView, frontend: Frontend): readonly ListItem[] => {
  const refusal = refusalOf(view, frontend)
  if (frontend.allowedSources !== undefined) return restrictedItems(view, frontend, refusal)
  if (refusal === undefined) return []
  const item = (chain: string, place: ListItem['place'], rest: Rule = {}): ListItem => ({
    table: 'filter',
    chain,
    place,
    rule: { ...at(view, frontend), ...rest, ...refusal },
  })
  if (frontend.kind === 'ClusterIP') return [item(SERVICES, 'first')]
  if (frontend.kind !== 'NodePort') return [item(EXTERNAL_SERVICES, 'first')]
  return nodePortAddresses(view.context).map((cidr) => item(EXTERNAL_SERVICES, 'last', { destination: { cidr } }))
}

/** Undefined when every class of source is carried. Those that are not share their fate: a Service without endpoints refuses all. */
const refusalOf = (view: PortView, { routes }: Frontend): Rule | undefined => {
  const left = CLASSES.map((source) => routes[source]).filter((route) => !isCarried(view, route))
  if (left.length === 0) return undefined
  const isDropped = left.some(({ whenEmpty }) => whenEmpty === 'drop')
  return isDropped
    ? { comment: `${view.name} has no local endpoints`, target: DROP }
    : { comment: `${view.name} has no endpoints`, target: REFUSE[view.protocol] }
}

const DROP: Rule['target'] = { kind: 'verdict', verdict: 'DROP' }

/** Drops sources that are not allowed; those that are learn that there is no endpoint. */
const restrictedItems = (view: PortView, frontend: Frontend, refusal: Rule | undefined): readonly ListItem[] => {
  const { address = '', allowedSources } = frontend
  const item = (place: ListItem['place'], rule: Rule): ListItem => ({
    table: 'filter',
    chain: FIREWALL,
    place,
    rule: { ...at(view, frontend), ...rule },
  })
  const sources = [...(allowedSources?.ranges ?? []).map(within), ...(allowedSources?.vip === true ? [within(address)] : [])]
  return [
    ...(refusal?.target?.kind !== 'reject' ? [] : sources.map((source) => item('first', { ...source, ...refusal }))),
    item('last', { comment: `${view.name} traffic not accepted by ${view.chains.firewall}`, target: DROP }),
  ]
}

/** Lets the health checks of load balancers in. */
export const healthCheckItems = ({ namespace, name, healthCheck }: Forwarding): readonly ListItem[] =>
  healthCheck === undefined
    ? []
    : [
        {
          table: 'filter',
          chain: NODE_PORTS,
          place: 'last',
          rule: {
            comment: `${namespace}/${name} health check node port`,
            protocol: 'tcp',
            destinationPort: healthCheck.port,
            target: { kind: 'verdict', verdict: 'ACCEPT' },
          },
        },
      ]

/** One pair of rules refuses the undefined ports of all ClusterIPs in the ranges that are known; one outside of them needs its own. */
export const undefinedPorts = (
  { clusterIP, namespace, name }: Forwarding,
  { serviceCIDRs }: RenderContext,
): readonly ListItem[] => {
  const address = readAddress(clusterIP)?.address
  const isInside = serviceCIDRs.some((text) => {
    const cidr = parseCIDR(text)
    return cidr !== undefined && address !== undefined && cidrContains(cidr, address)
  })
  return serviceCIDRs.length === 0 || isInside ? [] : refuseAll(clusterIP, `${namespace}/${name} has no such port`)
}
