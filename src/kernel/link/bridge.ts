import { bridgeMAC, type InstanceTag } from './instance.ts'
import type { IpCommand, IpTool } from './ip-tool.ts'
import { type ObservedLink, readLink } from './observe.ts'
import type { Sysctls } from './sysctl.ts'

export interface Bridge {
  /** Starts with the instance's tag. */
  readonly name: string
  /** In the form `10.0.0.1/24`. */
  readonly addresses: readonly string[]
  /** IPv4 packets from its ports are forwarded, whatever the machine does with those of other devices; left as it is when false. */
  readonly forwards?: boolean
  /** `bridged` unless told. */
  readonly between?: BetweenPorts
}

/**
 * How packets get from one port to another. `bridged`: by the bridge alone. With the others they pass the node's packet filter, as proxies in the
 * kernel need: `filtered` on their way through the bridge, with br_netfilter; `routed` by way of the node, which answers for every neighbour, where
 * br_netfilter is not loaded (it would hand what was rewritten straight to the other port, which is isolated).
 */
export type BetweenPorts = 'bridged' | 'filtered' | 'routed'

/** Makes the bridge, or changes what differs. */
export const ensureBridge = async (
  ip: IpTool,
  sysctls: Sysctls,
  { bridge, tag }: { bridge: Bridge; tag: InstanceTag },
): Promise<void> => {
  await ip.batch(bridgeCommands(bridge, await readLink(ip, bridge.name), tag))
  await sysctls.ensure(bridgeSettings(bridge))
}

/** Pure: from what is there to what shall be. */
const bridgeCommands = (bridge: Bridge, actual: ObservedLink | undefined, tag: InstanceTag): readonly IpCommand[] => {
  const { name } = bridge
  const wrong = actual !== undefined && actual.kind !== 'bridge'
  const present = actual !== undefined && !wrong
  const addresses = present ? actual.addresses : []
  const filters = bridge.between === 'filtered'
  const filtered = present && actual.callsPacketFilter
  return [
    ...(wrong ? [['link', 'del', name]] : []),
    ...(present ? [] : [['link', 'add', name, 'address', bridgeMAC(tag), 'type', 'bridge']]),
    ...(filters === filtered ? [] : [['link', 'set', 'dev', name, 'type', 'bridge', 'nf_call_iptables', filters ? '1' : '0']]),
    ...addresses.filter((address) => !bridge.addresses.includes(address)).map((address) => ['addr', 'del', address, 'dev', name]),
    // nodad: an address that waits for duplicate detection can't be bound yet.
    ...bridge.addresses
      .filter((address) => !addresses.includes(address))
      .map((address) => ['addr', 'add', address, 'dev', name, ...noDad(address)]),
    ...(present && actual.isUp ? [] : [['link', 'set', name, 'up']]),
  ]
}

/** For IPv6 the kernel would ask the link first whether somebody has the address. */
export const noDad = (address: string): readonly string[] => (address.includes(':') ? ['nodad'] : [])

/** IPv4 looks at the device on which a packet arrives, so that nothing else of the machine is touched. */
const bridgeSettings = ({ name, forwards = false, between }: Bridge): Readonly<Record<string, string>> => {
  const isRouted = between === 'routed'
  return {
    ...(forwards ? { [`ipv4/conf/${name}/forwarding`]: '1' } : {}),
    [`ipv4/conf/${name}/proxy_arp_pvlan`]: isRouted ? '1' : '0',
    // A redirect would send pods straight to a neighbour that only the node can reach.
    ...(isRouted ? { [`ipv4/conf/${name}/send_redirects`]: '0' } : {}),
  }
}
