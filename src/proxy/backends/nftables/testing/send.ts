import type { FakeNft } from '../../../../kernel/nft/testing/index.ts'
import type { NodeView, Packet } from '../../../../model/index.ts'
import type { FakeOutcome } from '../../../testing/fake-backend.ts'

/** A packet through the fake's ruleset, by the hook that packets of its source pass. */
export const sendThrough = (nft: FakeNft, packet: Packet, node: NodeView): FakeOutcome => {
  const { source, destination, protocol } = packet
  const isSourceLocal = source.class === 'node'
  const verdict = nft.evaluate({
    hook: isSourceLocal ? 'output' : 'prerouting',
    source: source.address,
    isSourceLocal,
    destination,
    protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[protocol],
  })
  if (verdict.kind !== 'dnat') return { kind: verdict.kind === 'drop' ? 'dropped' : 'refused' }
  const endpoint = verdict.to.replace(' . ', ':')
  return { kind: 'reached', endpoint, source: verdict.masquerade ? (node.addresses[0] ?? '') : source.address }
}
