import { familyOf, type IPFamily } from '../../ip/index.ts'
import {
  canonical,
  type Forwarding,
  type Frontend,
  type NodeView,
  type PortForwarding,
  type Protocol,
  type Route,
  type SourceClass,
} from '../../model/index.ts'
import { endpointKey, keptEndpoints } from './kept.ts'

/** Protocols whose flows move when their endpoint is gone. TCP is never touched: it ends by itself, and gracefully (kubernetes/kubernetes#102631). */
export type MovedProtocol = Exclude<Protocol, 'TCP'>

/** An address and port that flows are sent to. */
export interface Destination {
  readonly family: IPFamily
  readonly protocol: MovedProtocol
  readonly address: string
  readonly port: number
}

/** A destination at which flows may be that lead where they must not. */
export interface Suspect {
  readonly destination: Destination
  /** Known by its port alone: a frontend of another Service at this very address and port goes before it. */
  readonly isNodePort: boolean
  /** How it is carried now; left out when it is no frontend any more. */
  readonly now?: Carried
  /** All endpoints that it had, by {@link endpointKey}. */
  readonly had: ReadonlySet<string>
}

/** A frontend with the endpoints behind it. */
export interface Carried {
  readonly port: PortForwarding
  readonly frontend: Frontend
}

/** One Service in one family, before a change and after it. */
export interface ChangedForwarding {
  /** As it may have been carried: several where a sync failed half-way. */
  readonly before: readonly Forwarding[]
  readonly after: Forwarding | undefined
  /** Nobody knows under what its flows were made (the first sync, a failed one, another node): all its frontends are looked at. */
  readonly isUnsure: boolean
}

/**
 * The UDP and SCTP frontends of a change whose flows must be looked at, by {@link destinationKey}; none in most changes, and then nobody lists the
 * kernel's table. Looked at is a frontend that is gone and had endpoints; that some source class finds an endpoint at since now, for the first
 * time or again; whose flows may lead to an endpoint that they must leave. One that only gains endpoints is not.
 */
export const desiredLook = (
  changed: Iterable<ChangedForwarding>,
  node: NodeView,
  nodeBefore: NodeView = node,
): ReadonlyMap<string, Suspect> => {
  const gone = new Map<string, Suspect>()
  const carried = new Map<string, Suspect>()
  const [addresses, addressesBefore] = [nodePortAddresses(node), nodePortAddresses(nodeBefore)]
  for (const { before, after, isUnsure } of changed) {
    const now = after === undefined ? new Map<string, Place>() : placesOf(after, addresses)
    const earlier = new Map<string, readonly Place[]>()
    for (const [key, place] of before.flatMap((each) => [...placesOf(each, addressesBefore)])) {
      earlier.set(key, [...(earlier.get(key) ?? []), place])
    }
    for (const [key, places] of earlier) if (!now.has(key)) addGone(gone, key, places)
    for (const [key, place] of now) {
      const older = earlier.get(key) ?? []
      if (isUnsure || isToLookAt(older, place)) carried.set(key, { ...place, had: NOTHING })
    }
  }
  // What one Service gave up, another may have taken in the same change.
  return new Map([...gone, ...carried])
}

/** Names a destination in one word; the family is in the address. */
export const destinationKey = ({ protocol, address, port }: Omit<Destination, 'family'>): string =>
  `${protocol} ${address} ${port}`

const NOTHING: ReadonlySet<string> = new Set()

interface Place {
  readonly destination: Destination
  readonly isNodePort: boolean
  readonly now: Carried
}

/** Where a Service is reached, by {@link destinationKey}; an address of its own goes before a NodePort on the same one, as in `decide`. */
const placesOf = (forwarding: Forwarding, nodePorts: ReturnType<typeof nodePortAddresses>): Map<string, Place> => {
  const places = new Map<string, Place>()
  for (const isNodePort of [true, false]) {
    for (const port of forwarding.ports) {
      if (port.protocol === 'TCP') continue
      for (const frontend of port.frontends) {
        if ((frontend.address === undefined) !== isNodePort) continue
        const { address: own, notAt = [] } = frontend
        const addresses = own === undefined ? nodePorts[forwarding.family].filter((each) => !notAt.includes(each)) : [own]
        for (const address of addresses) {
          const destination = { family: forwarding.family, protocol: port.protocol, address, port: frontend.port }
          places.set(destinationKey(destination), { destination, isNodePort, now: { port, frontend } })
        }
      }
    }
  }
  return places
}

const nodePortAddresses = (node: NodeView): Readonly<Record<IPFamily, readonly string[]>> => {
  const addresses = node.nodePortAddresses.map(canonical)
  const of = (family: IPFamily): readonly string[] => addresses.filter((address) => familyOf(address) === family)
  return { IPv4: of('IPv4'), IPv6: of('IPv6') }
}

const addGone = (gone: Map<string, Suspect>, key: string, places: readonly Place[]): void => {
  const [first] = places
  const had = new Set([...(gone.get(key)?.had ?? []), ...places.flatMap(({ now }) => now.port.endpoints.map(endpointKey))])
  if (first !== undefined && had.size > 0) gone.set(key, { destination: first.destination, isNodePort: first.isNodePort, had })
}

const CLASSES: readonly SourceClass[] = ['pod', 'node', 'outside']

const isToLookAt = (older: readonly Place[], { now }: Place): boolean => {
  if (older.length === 0) return CLASSES.some((source) => usable(now, source) > 0)
  return older.some(({ now: before }) => {
    if (JSON.stringify(before.frontend.allowedSources) !== JSON.stringify(now.frontend.allowedSources)) return true
    return CLASSES.some((source) => {
      if (usable(before, source) === 0 && usable(now, source) > 0) return true
      const kept = keptEndpoints(now.port, now.frontend.routes[source].set)
      return [...keptEndpoints(before.port, before.frontend.routes[source].set)].some((endpoint) => !kept.has(endpoint))
    })
  })
}

const usable = ({ port, frontend }: Carried, source: SourceClass): number => targetsOf(port, frontend.routes[source]).length

/** The endpoints that new flows may take. */
export const targetsOf = (port: PortForwarding, { set }: Route): PortForwarding['cluster'] =>
  set === 'local' ? port.local : port.cluster
