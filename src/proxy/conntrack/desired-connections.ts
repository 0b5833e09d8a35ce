import { familyOf, type IPFamily } from '../../ip/index.ts'
import type { ConntrackEntry, FlowEnd } from '../../kernel/conntrack/index.ts'
import { canonical, type Forwarding, type NodeView } from '../../model/index.ts'
import { endpointKey } from './kept.ts'

/** Where connections to Services with endpoints go, by family. */
export const connectionPlaces = (
  carried: Iterable<Forwarding>,
  node: NodeView,
): Readonly<Record<IPFamily, readonly FlowEnd[]>> => {
  const own = node.nodePortAddresses.map(canonical)
  const places: Record<IPFamily, FlowEnd[]> = { IPv4: [], IPv6: [] }
  for (const { family, ports } of carried) {
    for (const { protocol, frontends, cluster, local } of ports) {
      if (protocol !== 'TCP' || cluster.length + local.length === 0) continue
      for (const { address, notAt = [], port } of frontends) {
        const nodePorts = own.filter((each) => familyOf(each) === family && !notAt.includes(each))
        for (const each of address === undefined ? nodePorts : [address]) places[family].push({ address: each, port })
      }
    }
  }
  return places
}

/** A connection that nobody answered and that nothing leads to an endpoint: its first packet came while there was no rule, and rules are not asked again. */
export const isLost = ({ original, reply, replied }: ConntrackEntry): boolean =>
  !replied && endpointKey(reply.source) === endpointKey(original.destination)
