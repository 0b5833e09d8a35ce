import { type CIDR, cidrContainsCIDR, formatCIDR, type IPFamily, readCIDR } from '../../../ip/index.ts'
import type { Element } from '../../../kernel/nft/index.ts'
import {
  canonical,
  type Forwarding,
  type Frontend,
  type NodeView,
  type PortForwarding,
  type Route,
  type SourceClass,
} from '../../../model/index.ts'
import { ownClass } from './hairpin.ts'
import { BY_SOURCE, choiceId, DROP, LOCAL_SLOTS, masquerades, REFUSE } from './layout.ts'
import { classId, type Numbers } from './numbers.ts'
import { type PortSlots, targetText } from './slots.ts'

/** A Service with the order of its endpoints: all that its elements follow from, beside the node. */
export interface Carried {
  readonly forwarding: Forwarding
  /** Of each port. */
  readonly slots: readonly PortSlots[]
}

/** What is the same for all Services. */
export interface RenderContext {
  readonly numbers: Numbers
  /** Of the family, canonical. */
  readonly nodePortAddresses: readonly string[]
  readonly ownClass: (address: string) => SourceClass
}

export const renderContext = (family: IPFamily, node: NodeView, numbers: Numbers): RenderContext => ({
  numbers,
  nodePortAddresses: [...new Set(node.nodePortAddresses.map(canonical))].filter(
    (address) => address.includes(':') === (family === 'IPv6'),
  ),
  ownClass: ownClass(node, family),
})

/** What a Service needs in the kernel. */
export interface Rendered {
  /** Its own: no other Service has one of them. */
  readonly elements: readonly Element[]
  /** Endpoints whose packets to themselves must be masqueraded; several Services may have the same. */
  readonly hairpins: ReadonlySet<string>
  /** The names whose numbers it uses. */
  readonly names: readonly string[]
}

/** The elements of one Service. Text is canonical: what the kernel says of the same element is equal. */
export const renderForwarding = ({ forwarding, slots }: Carried, context: RenderContext): Rendered => {
  const elements: Element[] = [{ set: 'cluster-ips', key: forwarding.clusterIP }]
  const hairpins = new Set<string>()
  const names: string[] = []
  for (const [index, port] of forwarding.ports.entries()) {
    const portSlots = slots[index] ?? NO_SLOTS
    const places = placesOf(forwarding, port, context)
    if (places.length === 0) continue
    for (const place of places) addFrontend(elements, place, { port, slots: portSlots })
    addHairpins(hairpins, places, { slots: portSlots, context })
    if (port.affinityTimeoutSeconds === undefined) continue
    const affinity = affinityElements(affinityName(forwarding, port), places, { slots: portSlots, context })
    elements.push(...affinity.elements)
    names.push(...affinity.names)
  }
  return { elements, hairpins, names }
}

const NO_SLOTS: PortSlots = { cluster: [], local: [] }

/** A frontend at one address. */
export interface Place {
  readonly key: string
  readonly address: string
  readonly frontend: Frontend
}

/** Where clients reach a port. A NodePort gives way to a frontend of the same Service with the same address, as in the model. */
export const placesOf = ({ ports }: Forwarding, port: PortForwarding, context: RenderContext): readonly Place[] => {
  const protocol = port.protocol.toLowerCase()
  const at = (address: string, frontend: Frontend): Place => ({
    key: `${address} . ${protocol} . ${frontend.port}`,
    address,
    frontend,
  })
  const isTaken = (address: string, number: number): boolean =>
    ports.some(
      (each) =>
        each.protocol === port.protocol && each.frontends.some((other) => other.address === address && other.port === number),
    )
  const places: Place[] = []
  for (const frontend of port.frontends) {
    if (frontend.address !== undefined) places.push(at(frontend.address, frontend))
    else {
      const free = context.nodePortAddresses.filter(
        (each) => !isTaken(each, frontend.port) && frontend.notAt?.includes(each) !== true,
      )
      places.push(...free.map((address) => at(address, frontend)))
    }
  }
  return places
}

const SETS: readonly Route['set'][] = ['cluster', 'local']
const CLASSES: readonly SourceClass[] = ['pod', 'node', 'outside']

const uses = ({ frontend: { routes } }: Place, set: Route['set']): boolean =>
  routes.pod.set === set || routes.node.set === set || routes.outside.set === set

/** The first places that a policy's endpoints have: all places of a port have the same order of them. */
export const firstPlace = (places: readonly Place[], set: Route['set']): Place | undefined =>
  places.find((place) => uses(place, set))

/** The key in `endpoints` of an endpoint's slot, from 0. */
export const slotKey = (place: string, set: Route['set'], slot: number): string => `${place} . ${slotText(set, slot)}`

const slotText = (set: Route['set'], slot: number): string => classId(slot + 1 + (set === 'local' ? LOCAL_SLOTS : 0))

const addFrontend = (
  elements: Element[],
  place: Place,
  { port, slots }: { readonly port: PortForwarding; readonly slots: PortSlots },
): void => {
  const { key, frontend } = place
  addChoices(elements, place, (route) => routeChoice(route, slots[route.set].length, port.affinityTimeoutSeconds))
  for (const source of CLASSES)
    if (frontend.routes[source].masquerade === 'always') elements.push({ set: masquerades(source), key })
  for (const set of SETS) {
    if (!uses(place, set)) continue
    const targets = slots[set]
    for (let slot = 0; slot < targets.length; slot++) {
      const target = targets[slot]
      if (target !== undefined) elements.push({ set: 'endpoints', key: slotKey(key, set, slot), value: targetText(target) })
    }
  }
  addAllowed(elements, place)
}

const addChoices = (elements: Element[], { key, frontend }: Place, choice: (route: Route) => string): void => {
  const { routes, allowedSources } = frontend
  const base = choice(routes.outside)
  const others = (['pod', 'node'] as const).filter((source) => choice(routes[source]) !== base)
  if (others.length === 0 && allowedSources === undefined) {
    elements.push({ set: 'services', key, value: base })
    return
  }
  elements.push({ set: 'services', key, value: BY_SOURCE }, { set: 'services-outside', key, value: base })
  for (const source of others) elements.push({ set: `services-${source}`, key, value: choice(routes[source]) })
}

const routeChoice = ({ set, whenEmpty }: Route, count: number, timeoutSeconds: number | undefined): string => {
  if (count > 0) return choiceId({ set, count, timeoutSeconds })
  return whenEmpty === 'drop' ? DROP : REFUSE
}

const addAllowed = (elements: Element[], { key, address, frontend: { allowedSources } }: Place): void => {
  if (allowedSources === undefined) return
  elements.push({ set: 'restricted', key })
  const ranges = allowedSources.vip ? [...allowedSources.ranges, address] : allowedSources.ranges
  for (const range of distinctRanges(ranges)) elements.push({ set: 'allowed', key: `${key} . ${range}` })
}

/** The kernel refuses ranges that overlap; a single address has no prefix length, as nft prints it. */
const distinctRanges = (texts: readonly string[], family?: IPFamily): readonly string[] => {
  const cidrs = texts.flatMap((text): CIDR[] => {
    const cidr = readCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)?.cidr
    return cidr === undefined || (family !== undefined && cidr.family !== family) ? [] : [cidr]
  })
  const wide = cidrs.filter(
    (cidr) => !cidrs.some((other) => formatCIDR(other) !== formatCIDR(cidr) && cidrContainsCIDR(other, cidr)),
  )
  return [...new Set(wide.map((cidr) => formatCIDR(cidr).replace(/^(.*:.*)\/128$|^([^:]*)\/32$/, '$1$2')))].sort()
}

interface AffinityInput {
  readonly slots: PortSlots
  readonly context: RenderContext
}

/**
 * An endpoint needs one where packets that it sends itself come back to it without the masquerading that all of its class get. With a local
 * detector that leaves the pods of this node, whatever the size of the cluster.
 */
const addHairpins = (hairpins: Set<string>, places: readonly Place[], { slots, context }: AffinityInput): void => {
  for (const set of SETS) {
    const bare = CLASSES.filter((source) =>
      places.some(({ frontend: { routes } }) => routes[source].set === set && routes[source].masquerade === 'hairpin'),
    )
    if (bare.length === 0) continue
    for (const { address } of slots[set]) {
      if (bare.length === CLASSES.length || bare.includes(context.ownClass(address))) hairpins.add(address)
    }
  }
}

const affinityName = ({ key }: Forwarding, { protocol, port, name }: PortForwarding): string =>
  `${key} ${protocol} ${port} ${name}`

const affinityElements = (
  name: string,
  places: readonly Place[],
  { slots, context: { numbers } }: AffinityInput,
): { readonly elements: readonly Element[]; readonly names: readonly string[] } => {
  const port = numbers.of(name)
  const names = new Set([name])
  const elements: Element[] = places.map(({ key }) => ({ set: 'ports', key, value: String(port) }))
  const numbered = new Set<string>()
  for (const set of SETS) {
    if (firstPlace(places, set) === undefined) continue
    for (const [slot, target] of slots[set].entries()) {
      const endpointName = `${name} ${targetText(target)}`
      names.add(endpointName)
      const number = classId(numbers.of(endpointName))
      elements.push({ set: 'choices', key: `${port} . ${slotText(set, slot)}`, value: number })
      elements.push({ set: set === 'local' ? 'members-local' : 'members', key: `${port} . ${number}` })
      if (!numbered.has(number)) elements.push({ set: 'numbered', key: number, value: targetText(target) })
      numbered.add(number)
    }
  }
  return { elements, names: [...names] }
}

/** The key of an endpoint in `hairpin`. */
export const hairpinKey = (address: string): string => `${address} . ${address}`

/** The elements that depend on the node alone. */
export const renderNode = (family: IPFamily, node: NodeView, serviceCIDRs: readonly string[]): readonly Element[] => [
  ...distinctRanges(node.podCIDRs, family).map((key) => ({ set: 'pods', key })),
  ...distinctRanges(serviceCIDRs, family).map((key) => ({ set: 'service-cidrs', key })),
]
