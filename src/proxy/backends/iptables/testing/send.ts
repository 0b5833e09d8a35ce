import type { Flavour } from '../../../../kernel/iptables/index.ts'
import type { FakeIptables } from '../../../../kernel/iptables/testing/index.ts'
import type { NodeView, Packet } from '../../../../model/index.ts'
import type { FakeOutcome } from '../../../testing/fake-backend.ts'

/** A packet through the fake's rules, by the hook that packets of its source pass. */
export const sendThrough = (
  iptables: FakeIptables,
  packet: Packet,
  world: { node: NodeView; flavour?: Flavour },
): FakeOutcome => {
  const { source, destination, protocol } = packet
  const { node, flavour } = world
  const isFromNode = source.class === 'node'
  const own = [...node.addresses, ...node.nodePortAddresses].filter((address) => address !== source.address)
  const verdict = iptables.evaluate(
    {
      hook: isFromNode ? 'output' : 'prerouting',
      source: source.address,
      destination,
      protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[protocol],
      localAddresses: isFromNode ? [...own, source.address] : own,
    },
    flavour,
  )
  if (verdict.kind !== 'dnat') return { kind: verdict.kind === 'drop' ? 'dropped' : 'refused' }
  const endpoint = verdict.to.replace(/[[\]]/g, '')
  return { kind: 'reached', endpoint, source: verdict.masquerade ? (node.addresses[0] ?? '') : source.address }
}
