import { familyOf, isLoopback, readAddress } from '../../../ip/index.ts'
import {
  canonical,
  type Forwarding,
  type Frontend,
  type NodeView,
  type PortForwarding,
  type Route,
  type Target,
} from '../../../model/index.ts'
import type { FrontendRef } from '../../backend.ts'
import { FLAG, frontendKey } from './layout.ts'

/** What the programs carry of one Service port. */
export interface RenderedPort {
  /** Tells Service ports apart, in this process and the next. */
  readonly name: string
  readonly forwarding: string
  readonly protocol: 'TCP' | 'UDP'
  readonly frontends: readonly RenderedFrontend[]
  /** Empty where no frontend uses the set. */
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
  /** 0 for none. */
  readonly affinitySeconds: number
  /** Whether what was chosen before is asked for: with affinity, and for the flows of unconnected UDP sockets. */
  readonly hasMembers: boolean
}

interface RenderedFrontend {
  readonly key: string
  readonly flags: number
  /** A frontend with an address of its own goes before a NodePort at that address. */
  readonly isNodePort: boolean
  readonly ref: FrontendRef
}

/**
 * What the programs carry of one Service. A program knows a socket's network namespace, not its source address: the node's own is class `node`, those of
 * its pods are class `pod`, and nobody else is served. Where sources are filtered, the inner backend decides, which sees addresses.
 */
export const renderForwarding = (forwarding: Forwarding, node: NodeView): readonly RenderedPort[] =>
  forwarding.ports.flatMap((port): readonly RenderedPort[] => {
    const { protocol, affinityTimeoutSeconds } = port
    if (protocol === 'SCTP') return []
    const places = placesOf(forwarding, port, node)
    const served = affinityTimeoutSeconds === undefined ? places : whole(places)
    const frontends = served.filter(({ flags }) => isServed(flags))
    if (frontends.length === 0) return []
    const sets = new Set(frontends.flatMap(({ flags }) => setsOf(flags)))
    return [
      {
        name: `${forwarding.key} ${protocol} ${port.port} ${port.name}`,
        forwarding: forwarding.key,
        protocol,
        frontends,
        cluster: sets.has('cluster') ? port.cluster : [],
        local: sets.has('local') ? port.local : [],
        affinitySeconds: affinityTimeoutSeconds ?? 0,
        hasMembers: protocol === 'UDP' || affinityTimeoutSeconds !== undefined,
      },
    ]
  })

const NODE = FLAG.node | FLAG.nodeLocal
const PODS = FLAG.pod | FLAG.podLocal

const isServed = (flags: number): boolean => (flags & (FLAG.node | FLAG.pod)) !== 0

const setsOf = (flags: number): readonly Route['set'][] => [
  ...((flags & FLAG.node) === 0 ? [] : [(flags & FLAG.nodeLocal) === 0 ? ('cluster' as const) : ('local' as const)]),
  ...((flags & FLAG.pod) === 0 ? [] : [(flags & FLAG.podLocal) === 0 ? ('cluster' as const) : ('local' as const)]),
]

/** A frontend at one address. */
interface RenderedPlace extends RenderedFrontend {
  /** No other backend serves it. */
  readonly isForNodeOnly: boolean
}

/** The frontends of a port at every address, also those of which nothing is carried. */
const placesOf = (forwarding: Forwarding, { protocol, frontends }: PortForwarding, node: NodeView): readonly RenderedPlace[] =>
  frontends.flatMap((frontend) => {
    const { key, namespace, name } = forwarding
    const { kind, port } = frontend
    const flags = flagsOf(forwarding, frontend, node)
    return addressesOf(forwarding, frontend, node).map(({ address, isForNodeOnly }) => ({
      key: frontendKey({ address, port, protocol }),
      flags: isForNodeOnly ? flags & NODE : flags,
      isNodePort: kind === 'NodePort',
      isForNodeOnly,
      ref: { key, namespace, name, kind, protocol, address, port },
    }))
  })

interface Reached {
  readonly address: string
  readonly isForNodeOnly: boolean
}

/** Processes of the node reach NodePorts at any of its addresses and at localhost; a pod's localhost is its own. */
const addressesOf = ({ family }: Forwarding, { address, notAt = [] }: Frontend, node: NodeView): readonly Reached[] => {
  if (address !== undefined) return [{ address, isForNodeOnly: isLocalhost(address) }]
  const served = new Set(node.nodePortAddresses.map(canonical))
  const all = new Set([...served, ...node.addresses.map(canonical), family === 'IPv4' ? '127.0.0.1' : '::1'])
  return [...all]
    .filter((each) => familyOf(each) === family && !notAt.includes(each))
    .map((each) => ({ address: each, isForNodeOnly: !served.has(each) || isLocalhost(each) }))
}

const isLocalhost = (text: string): boolean => {
  const address = readAddress(text)?.address
  return address !== undefined && isLoopback(address)
}

const flagsOf = (forwarding: Forwarding, { routes, allowedSources }: Frontend, node: NodeView): number => {
  if (allowedSources !== undefined) return 0
  const hasPods = node.podCIDRs.some((range) => range.includes(':') === (forwarding.family === 'IPv6'))
  const ofNode = FLAG.node | (routes.node.set === 'local' ? FLAG.nodeLocal : 0)
  const ofPods = FLAG.pod | (routes.pod.set === 'local' ? FLAG.podLocal : 0)
  return hasPods ? ofNode | ofPods : ofNode
}

/**
 * Session affinity is one table for all frontends of a port: where one of them is left to the inner backend, all are, for those clients; but for
 * places that only the programs serve.
 */
const whole = (places: readonly RenderedPlace[]): readonly RenderedPlace[] => {
  const shared = places.filter(({ isForNodeOnly }) => !isForNodeOnly)
  const isWhole = (flag: number): boolean => shared.every(({ flags }) => (flags & flag) !== 0)
  const kept = (isWhole(FLAG.node) ? NODE : 0) | (isWhole(FLAG.pod) ? PODS : 0)
  return places.map((place) => (place.isForNodeOnly ? place : { ...place, flags: place.flags & kept }))
}
