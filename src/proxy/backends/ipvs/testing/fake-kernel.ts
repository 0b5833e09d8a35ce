import { type FakeIpset, fakeIpset } from '../../../../kernel/ipset/testing/index.ts'
import { type FakeDevice, type FakeIpvs, fakeDevice, fakeIpvs } from '../../../../kernel/ipvs/testing/index.ts'
import type { NodeView, Packet } from '../../../../model/index.ts'
import type { FakeOutcome } from '../../../testing/fake-backend.ts'
import { familyOfAddress } from '../items.ts'
import type { Kernel } from '../kernel.ts'
import { isOurSet } from '../sets.ts'
import { type Rulebook, type WalkPacket, walk } from '../walk.ts'
import { type FakeRules, fakeRules } from './fake-rules.ts'

export interface FakeKernel extends Kernel {
  readonly ipvs: FakeIpvs
  readonly ipset: FakeIpset
  readonly iptables: FakeRules
  readonly device: FakeDevice
  /** Values below /proc/sys/net. */
  readonly settings: Map<string, string>
  send(packet: Packet, node: NodeView): FakeOutcome
  /** How many times something was written that was not there already. */
  changes(): number
}

/** One network namespace without a kernel: packets pass sets, rules, and virtual servers by the hooks that they pass in Linux. */
export const fakeKernel = (now?: () => number): FakeKernel => {
  const ipset = fakeIpset()
  const names = { has: (name: string) => ipset.has(name), use: (used: ReadonlySet<string>) => replace(ipset.used, used) }
  const iptables = fakeRules(names)
  const ipvs = fakeIpvs(now)
  const device = fakeDevice()
  const settings = new Map(
    ['conntrack', 'expire_nodest_conn', 'expire_quiescent_template'].map((name) => [`ipv4/vs/${name}`, '0']),
  )
  settings.set('ipv6/conf/default/disable_ipv6', '0')
  settings.set('ipv4/vs/conn_reuse_mode', '1').set('ipv4/conf/all/arp_ignore', '0').set('ipv4/conf/all/arp_announce', '0')
  const kernel: FakeKernel = {
    ipset,
    iptables,
    ipvs,
    device,
    settings,
    sysctls: {
      read: async (wanted) => wanted.map((name) => settings.get(name)),
      async ensure(values) {
        for (const [name, value] of Object.entries(values)) if (settings.has(name)) settings.set(name, value)
      },
    },
    release: async () => '6.1.0',
    send: (packet, node) => send(kernel, packet, node),
    changes: () => ipset.committed.length + iptables.committed.length + ipvs.committed.length + device.changes.length,
  }
  return kernel
}

const replace = (set: Set<string>, by: ReadonlySet<string>): void => {
  set.clear()
  for (const each of by) if (isOurSet(each)) set.add(each)
}

const send = ({ iptables, ipset, ipvs, device }: FakeKernel, packet: Packet, node: NodeView): FakeOutcome => {
  const family = familyOfAddress(packet.destination.address)
  const book: Rulebook = {
    rulesOf: (table, chain) => iptables.rulesOf(family, table, chain),
    matches: (set, directions, each) => ipset.matches(set, directions, each),
  }
  const isFromNode = packet.source.class === 'node'
  const isLocal = (address: string): boolean => device.addresses.has(address) || node.addresses.includes(address)
  let now: WalkPacket = {
    source: packet.source.address,
    isSourceLocal: isFromNode,
    destination: packet.destination,
    protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[packet.protocol],
    mark: 0,
  }
  const through = (table: 'mangle' | 'nat' | 'filter', chain: string) => {
    const { ending, packet: passed } = walk(book, { table, chain }, now)
    now = ending.kind === 'dnat' ? { ...passed, destination: ending.to } : passed
    return ending.kind
  }
  const first = isFromNode ? 'OUTPUT' : 'PREROUTING'
  if (through('mangle', first) === 'drop') return { kind: 'dropped' }
  through('nat', first)
  const isDelivered = isLocal(now.destination.address)
  // From outside the filter table comes before ipvs, which only sees what is delivered here; what this node sends meets ipvs first.
  if (!isFromNode && through('filter', isDelivered ? 'INPUT' : 'FORWARD') === 'reject') return { kind: 'refused' }
  const outcome = isFromNode || isDelivered ? ipvs.schedule(now) : ({ kind: 'none' } as const)
  if (outcome.kind === 'none') {
    if (isFromNode) through('filter', 'OUTPUT')
    // Nobody listens in this world.
    return { kind: 'refused' }
  }
  if (outcome.kind === 'refused') return { kind: 'refused' }
  now = { ...now, destination: outcome.real }
  const isMasqueraded = through('nat', 'POSTROUTING') === 'masquerade'
  const source = isMasqueraded ? (node.addresses[0] ?? '') : packet.source.address
  return { kind: 'reached', endpoint: `${outcome.real.address}:${outcome.real.port}`, source }
}
