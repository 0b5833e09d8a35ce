import type { ConntrackEntry } from '../../kernel/conntrack/index.ts'
import { canonical, type Forwarding, isAllowed, type NodeView, type SourceClass, sourceClassifier } from '../../model/index.ts'
import { type Carried, destinationKey, type Suspect, targetsOf } from './desired-look.ts'
import { endpointKey, keptEndpoints } from './kept.ts'

/** What flows are judged by. */
export interface FlowsInput {
  readonly entries: readonly ConntrackEntry[]
  /** By {@link destinationKey}. */
  readonly suspects: ReadonlyMap<string, Suspect>
  readonly node: NodeView
  /** All that is carried; read only where an entry was sent to a NodePort. */
  readonly carried: () => Iterable<Forwarding>
}

/**
 * The entries that must go, because the next packet would go where the rules would not send it:
 * - to a frontend with endpoints: those that lead to none at which the flow may stay, also those that were never translated (made while there was
 *   no Service or no endpoint, and so a black hole: kubernetes/kubernetes#125467, #126468);
 * - to a frontend without endpoints: those that lead to an endpoint of before (kubernetes/kubernetes#139628). What was never translated may stay;
 * - from a source that may not use the frontend: those that lead to an endpoint;
 * - to what is no frontend any more: those that lead to an endpoint that it had (kubernetes/kubernetes#141371): nobody follows these endpoints from now on, and their
 *   addresses will be other pods'.
 */
export const desiredRemovals = ({ entries, suspects, node, carried }: FlowsInput): readonly ConntrackEntry[] => {
  const judge = createJudge(node)
  const stale: ConntrackEntry[] = []
  const atNodePorts: ConntrackEntry[] = []
  for (const entry of entries) {
    const suspect = entry.protocol === 'TCP' ? undefined : suspects.get(keyOf(entry))
    if (suspect === undefined || !judge(entry, suspect)) continue
    if (suspect.isNodePort) atNodePorts.push(entry)
    else stale.push(entry)
  }
  if (atNodePorts.length === 0) return stale
  const taken = ownAddresses(carried(), node)
  return [...stale, ...atNodePorts.filter((entry) => !taken.has(keyOf(entry)))]
}

const keyOf = ({ protocol, original }: ConntrackEntry): string =>
  // Entries of TCP are told apart before they get here.
  destinationKey({ protocol: protocol === 'SCTP' ? 'SCTP' : 'UDP', ...original.destination })

/** Says whether an entry must go; what it needs of a frontend is computed once. */
const createJudge = (node: NodeView): ((entry: ConntrackEntry, suspect: Suspect) => boolean) => {
  const classOf = sourceClassifier(node)
  const known = new Map<Carried, FrontendFlows>()
  return (entry, { now, had }) => {
    const leadsTo = endpointKey(entry.reply.source)
    if (now === undefined) return had.has(leadsTo)
    const flows = known.get(now) ?? flowsOf(now)
    known.set(now, flows)
    if (now.frontend.allowedSources !== undefined && !isAllowed(now.frontend, packetOf(entry))) return isTranslated(entry)
    const { kept, hasEndpoint } = flows(flows.isEveryoneAlike ? 'outside' : classOfEntry(entry, classOf))
    return !kept.has(leadsTo) && (hasEndpoint || isTranslated(entry))
  }
}

interface FrontendFlows {
  (source: SourceClass): { readonly kept: ReadonlySet<string>; readonly hasEndpoint: boolean }
  /** All sources have the same route, so that nothing need be known of an entry's. */
  readonly isEveryoneAlike: boolean
}

const flowsOf = ({ port, frontend: { routes } }: Carried): FrontendFlows => {
  const known = new Map<string, ReturnType<FrontendFlows>>()
  const of = (source: SourceClass): ReturnType<FrontendFlows> => {
    const { set } = routes[source]
    const flows = known.get(set) ?? { kept: keptEndpoints(port, set), hasEndpoint: targetsOf(port, routes[source]).length > 0 }
    known.set(set, flows)
    return flows
  }
  const { set } = routes.outside
  return Object.assign(of, { isEveryoneAlike: routes.pod.set === set && routes.node.set === set })
}

const classOfEntry = ({ original }: ConntrackEntry, classOf: ReturnType<typeof sourceClassifier>): SourceClass =>
  classOf(original.source.address, original.destination.address)

/** For the source filter, which does not read the class. */
const packetOf = ({ original, protocol }: ConntrackEntry) => ({
  source: { class: 'outside' as const, address: original.source.address },
  destination: original.destination,
  protocol,
})

const isTranslated = ({ original, reply }: ConntrackEntry): boolean =>
  endpointKey(reply.source) !== endpointKey(original.destination)

/** Frontends that have an address on which NodePorts are served as their own, such as an external address that is the node's. */
const ownAddresses = (carried: Iterable<Forwarding>, node: NodeView): ReadonlySet<string> => {
  const addresses = new Set(node.nodePortAddresses.map(canonical))
  const keys = new Set<string>()
  for (const { ports } of carried) {
    for (const { protocol, frontends } of ports) {
      if (protocol === 'TCP') continue
      for (const { address, port } of frontends) {
        if (address !== undefined && addresses.has(address)) keys.add(destinationKey({ protocol, address, port }))
      }
    }
  }
  return keys
}
