import type { IPProtocol, ServerAddress } from '../../../kernel/ipvs/index.ts'
import {
  canonical,
  type Forwarding,
  type Frontend,
  type NodeView,
  type PortForwarding,
  type Route,
  type SourceClass,
} from '../../../model/index.ts'
import { familyOfAddress } from './items.ts'

/** A frontend at one address. */
export interface Place extends ServerAddress {
  readonly frontend: Frontend
}

type EndpointSet = Route['set']

/** Which virtual servers a Service port needs, and which traffic goes on to another one's. */
export interface Plan {
  readonly places: readonly Place[]
  /** The endpoints that the virtual server at a place has; a place without one has only traffic that goes on. */
  readonly servers: ReadonlyMap<Place, EndpointSet>
  readonly redirects: readonly { readonly source: SourceClass; readonly from: Place; readonly to: Place }[]
}

export const SOURCES: readonly SourceClass[] = ['pod', 'node', 'outside']

/**
 * A virtual server has one list of endpoints and its own memory of clients, where a Service port may have two lists by the class of the source, and one memory
 * for all frontends. So each list has a holder, the first place that serves it to the outside: what asks for another list than its place has goes on to
 * that list's holder, and with session affinity all goes on to the holders. Depends on policies alone, never on endpoints: no connection moves when those change.
 */
export const planOf = (forwarding: Forwarding, port: PortForwarding, node: NodeView): Plan => {
  const places = port.frontends.flatMap((frontend) => placesOf(forwarding, port, { frontend, node }))
  const holders = holdersOf(places)
  const isAffine = port.affinityTimeoutSeconds !== undefined
  const own = (place: Place): EndpointSet => {
    for (const set of SETS) if (holders.get(set) === place) return set
    return place.frontend.routes.outside.set
  }
  const servers = new Map<Place, EndpointSet>()
  const redirects: Plan['redirects'][number][] = []
  for (const from of places) {
    for (const source of SOURCES) {
      const { set } = from.frontend.routes[source]
      const holder = holders.get(set)
      const to = !isAffine && own(from) === set ? from : (holder ?? from)
      servers.set(to, own(to))
      if (to !== from) redirects.push({ source, from, to })
    }
  }
  return { places, servers, redirects }
}

const SETS: readonly EndpointSet[] = ['cluster', 'local']

/**
 * Where both policies are Local, only the short circuits of external frontends ask for the cluster's list: the last of these holds it, and its own
 * traffic from outside goes on to the holder of the local list.
 */
const holdersOf = (places: readonly Place[]): ReadonlyMap<EndpointSet, Place> => {
  const holders = new Map<EndpointSet, Place>()
  for (const set of SETS) {
    const first = places.find(({ frontend }) => frontend.routes.outside.set === set)
    if (first !== undefined) holders.set(set, first)
  }
  for (const set of SETS) {
    const isAsked = places.some(({ frontend }) => SOURCES.some((source) => frontend.routes[source].set === set))
    const free = places.findLast((place) => ![...holders.values()].includes(place))
    if (isAsked && !holders.has(set) && free !== undefined) holders.set(set, free)
  }
  return holders
}

interface At {
  readonly frontend: Frontend
  readonly node: NodeView
}

const placesOf = ({ family }: Forwarding, port: PortForwarding, { frontend, node }: At): readonly Place[] => {
  const at = (address: string): Place => ({ protocol: protocolOf(port), address, port: frontend.port, frontend })
  if (frontend.address !== undefined) return [at(frontend.address)]
  return nodePortAddresses(node)
    .filter((address) => familyOfAddress(address) === family && frontend.notAt?.includes(address) !== true)
    .map(at)
}

const protocolOf = ({ protocol }: PortForwarding): IPProtocol => (({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' }) as const)[protocol]

/** Canonical, each once. */
export const nodePortAddresses = (node: NodeView): readonly string[] => [...new Set(node.nodePortAddresses.map(canonical))]
