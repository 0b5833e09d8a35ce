import type { ConntrackEntry } from '../../kernel/conntrack/index.ts'
import { canonical, type Forwarding, isAllowed, type NodeView, type SourceClass, sourceClassifier } from '../../model/index.ts'
import { type Carried, destinationKey, type Suspect, targetsOf } from './desired-look.ts'
import { endpointKey, keptEndpoints } from './kept.ts'

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
  const doubtful = entries.filter((entry) => {
    const suspect = suspectOf(entry, suspects)
    return suspect !== undefined && judge(entry, suspect)
  })
  if (!doubtful.some((entry) => suspectOf(entry, suspects)?.isNodePort)) return doubtful
  const taken = ownAddresses(carried(), node)
  return doubtful.filter((entry) => !suspectOf(entry, suspects)?.isNodePort || !taken.has(keyOf(entry)))
}

const suspectOf = (entry: ConntrackEntry, suspects: ReadonlyMap<string, Suspect>): Suspect | undefined =>
  entry.protocol === 'TCP' ? undefined : suspects.get(keyOf(entry))

const keyOf = ({ protocol, original }: ConntrackEntry): string =>
  // Entries of TCP are told apart before they get here.
  destinationKey({ protocol: protocol === 'SCTP' ? 'SCTP' : 'UDP', ...original.destination })

/** Says whether an entry must go; what it needs of a frontend is computed once. */
const createJudge = (node: NodeView): ((entry: ConntrackEntry, suspect: Suspect) => boolean) => {
  const classOf = sourceClassifier(node)
  const known = new Map<string, FrontendFlows>()
  return (entry, { destination, now, had }) => {
    const leadsTo = endpointKey(entry.reply.source)
    if (now === undefined) return had.has(leadsTo)
    const key = destinationKey(destination)
    const flows = known.get(key) ?? flowsOf(now)
    known.set(key, flows)
    if (!flows.isEveryoneAlike && !isAllowed(now.frontend, packetOf(entry, 'outside'))) return isTranslated(entry)
    const { kept, hasEndpoint } = flows.isEveryoneAlike ? flows.byClass.outside : flows.byClass[classOfEntry(entry, classOf)]
    return !kept.has(leadsTo) && (hasEndpoint || isTranslated(entry))
  }
}

interface FrontendFlows {
  /** All sources are treated alike, so that nothing need be known of an entry's. */
  readonly isEveryoneAlike: boolean
  readonly byClass: Readonly<Record<SourceClass, { readonly kept: ReadonlySet<string>; readonly hasEndpoint: boolean }>>
}

const flowsOf = ({ port, frontend }: Carried): FrontendFlows => {
  const { routes, allowedSources } = frontend
  const of = (source: SourceClass) => ({
    kept: keptEndpoints(port, routes[source].set),
    hasEndpoint: targetsOf(port, routes[source]).length > 0,
  })
  return {
    isEveryoneAlike:
      allowedSources === undefined && routes.pod.set === routes.outside.set && routes.node.set === routes.outside.set,
    byClass: { pod: of('pod'), node: of('node'), outside: of('outside') },
  }
}

const classOfEntry = ({ original }: ConntrackEntry, classOf: ReturnType<typeof sourceClassifier>): SourceClass =>
  classOf(original.source.address, original.destination.address)

/** The class is not read by the source filter. */
const packetOf = ({ original, protocol }: ConntrackEntry, source: SourceClass) => ({
  source: { class: source, address: original.source.address },
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
