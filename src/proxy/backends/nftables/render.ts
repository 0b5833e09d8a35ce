import { type CIDR, cidrContainsCIDR, formatCIDR, type IPFamily, readCIDR } from '../../../ip/index.ts'
import type { Element } from '../../../kernel/nft/index.ts'
import type { Forwarding, Frontend, NodeView, PortForwarding, Route, SourceClass, Target } from '../../../model/index.ts'
import { canonical } from '../../../model/index.ts'
import { choiceChain, LOCAL_SLOTS, masqueradeChain } from './layout.ts'
import { classId, type Numbers } from './numbers.ts'

export interface RenderContext {
  readonly node: NodeView
  readonly numbers: Numbers
  /** The endpoint that is committed for a key of `endpoints`: endpoints keep their slots. */
  readonly endpointAt: (key: string) => string | undefined
}

/** What a Service needs in the kernel. */
export interface Rendered {
  readonly elements: readonly Element[]
  /** The names whose numbers it uses. */
  readonly names: readonly string[]
}

/** The elements of one Service. Text is canonical: what `nft -j` says of the same element is equal. */
export const renderForwarding = (forwarding: Forwarding, context: RenderContext): Rendered => {
  const elements: Element[] = [{ set: 'cluster-ips', key: forwarding.clusterIP }]
  const names: string[] = []
  for (const port of forwarding.ports) {
    const places = port.frontends.flatMap((frontend) => placesOf(forwarding.family, port, frontend, context.node))
    if (places.length === 0) continue
    // All places of a set have one order; it is read from the first that has the set at all.
    const slotsOf = (set: Route['set'], targets: readonly Target[]): readonly Target[] => {
      const first = places.find((place) => uses(place, set))
      return first === undefined ? [] : inSlots(targets, first.key, set === 'local' ? LOCAL_SLOTS : 0, context)
    }
    const sets = { cluster: slotsOf('cluster', port.cluster), local: slotsOf('local', port.local) }
    for (const place of places) elements.push(...frontendElements(place, port, sets))
    for (const { address } of [...sets.cluster, ...sets.local]) elements.push({ set: 'hairpin', key: `${address} . ${address}` })
    if (port.affinityTimeoutSeconds !== undefined) {
      const name = `${forwarding.key} ${port.protocol} ${port.port} ${port.name}`
      const affinity = affinityElements(name, places, sets, context.numbers)
      elements.push(...affinity.elements)
      names.push(...affinity.names)
    }
  }
  return { elements, names }
}

/** A frontend at one address. */
interface Place {
  readonly key: string
  readonly address: string
  readonly frontend: Frontend
}

interface Slots {
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
}

const placesOf = (family: IPFamily, port: PortForwarding, frontend: Frontend, node: NodeView): readonly Place[] => {
  const at = (address: string): Place => ({
    key: `${address} . ${port.protocol.toLowerCase()} . ${frontend.port}`,
    address,
    frontend,
  })
  if (frontend.address !== undefined) return [at(frontend.address)]
  const own = new Set(node.nodePortAddresses.map(canonical))
  return [...own].filter((address) => address.includes(':') === (family === 'IPv6')).map(at)
}

const uses = ({ frontend }: Place, set: Route['set']): boolean => CLASSES.some((source) => frontend.routes[source].set === set)

const CLASSES: readonly SourceClass[] = ['pod', 'node', 'outside']

/** Endpoints that have a slot keep it; the last ones fill the holes, so that a change moves as few as it can. */
const inSlots = (targets: readonly Target[], key: string, offset: number, context: RenderContext): readonly Target[] => {
  const left = new Map(targets.map((target) => [targetText(target), target]))
  const slots: (Target | undefined)[] = []
  for (let slot = 1; slot <= targets.length; slot++) {
    const text = context.endpointAt(slotKey(key, offset + slot))
    const target = text === undefined ? undefined : left.get(text)
    if (text !== undefined) left.delete(text)
    slots.push(target)
  }
  const rest = [...left.values()]
  return slots.flatMap((target) => target ?? rest.shift() ?? [])
}

const targetText = ({ address, port }: Target): string => `${address} . ${port}`
const slotKey = (key: string, slot: number): string => `${key} . ${classId(slot)}`

const frontendElements = (place: Place, port: PortForwarding, slots: Slots): readonly Element[] => {
  const { key, frontend } = place
  const { routes } = frontend
  const verdict = (route: Route): string => routeVerdict(route, slots[route.set].length, port.affinityTimeoutSeconds)
  const base = verdict(routes.outside)
  const special = (['pod', 'node'] as const).flatMap((source): Element[] => {
    const value = verdict(routes[source])
    return value === base ? [] : [{ set: `services-${source}`, key, value }]
  })
  const masqueraded = CLASSES.filter((source) => routes[source].masquerade === 'always')
  const used = (['cluster', 'local'] as const).filter((set) => uses(place, set))
  return [
    { set: 'services', key, value: base },
    ...special,
    ...(masqueraded.length === 0 ? [] : [{ set: 'masquerades', key, value: `goto ${masqueradeChain(masqueraded)}` }]),
    ...used.flatMap((set) =>
      slots[set].map((target, index) => ({
        set: 'endpoints',
        key: slotKey(key, index + 1 + (set === 'local' ? LOCAL_SLOTS : 0)),
        value: targetText(target),
      })),
    ),
    ...allowedElements(place),
  ]
}

const routeVerdict = ({ set, whenEmpty }: Route, count: number, timeoutSeconds: number | undefined): string => {
  if (count > 0) return `goto ${choiceChain({ set, count, timeoutSeconds })}`
  return whenEmpty === 'drop' ? 'drop' : 'goto refuse'
}

const allowedElements = ({ key, address, frontend: { allowedSources } }: Place): readonly Element[] => {
  if (allowedSources === undefined) return []
  const ranges = distinctRanges(allowedSources.vip ? [...allowedSources.ranges, address] : allowedSources.ranges)
  return [{ set: 'restricted', key }, ...ranges.map((range) => ({ set: 'allowed', key: `${key} . ${range}` }))]
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

const affinityElements = (name: string, places: readonly Place[], slots: Slots, numbers: Numbers): Rendered => {
  const port = numbers.of(name)
  const names = new Set([name])
  const elements: Element[] = places.map(({ key }) => ({ set: 'ports', key, value: String(port) }))
  for (const set of ['cluster', 'local'] as const) {
    for (const [index, target] of slots[set].entries()) {
      const endpointName = `${name} ${targetText(target)}`
      names.add(endpointName)
      const number = classId(numbers.of(endpointName))
      const slot = classId(index + 1 + (set === 'local' ? LOCAL_SLOTS : 0))
      elements.push(
        { set: 'choices', key: `${port} . ${slot}`, value: number },
        { set: set === 'local' ? 'members-local' : 'members', key: `${port} . ${number}` },
        { set: 'numbered', key: number, value: targetText(target) },
      )
    }
  }
  return { elements, names: [...names] }
}

/** The elements that depend on the node alone. */
export const renderNode = (family: IPFamily, node: NodeView, serviceCIDRs: readonly string[]): readonly Element[] => [
  ...distinctRanges(node.podCIDRs, family).map((key) => ({ set: 'pods', key })),
  ...distinctRanges(serviceCIDRs, family).map((key) => ({ set: 'service-cidrs', key })),
]
