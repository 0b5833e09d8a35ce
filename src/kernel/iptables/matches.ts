import { cidrContains, readAddress, readCIDR } from '../../ip/index.ts'
import type { AddressMatch, IPProtocol, Rule } from './rule.ts'

/** What rules see of a connection's first packet, where it is now. */
export interface PacketView {
  readonly source: string
  readonly destination: { readonly address: string; readonly port: number }
  readonly protocol: IPProtocol
  readonly mark: number
  /** Of conntrack: `NEW`, and `DNAT` once it is translated. */
  readonly states: readonly string[]
  /** Whether it is an address of this machine. */
  readonly isLocal: (address: string) => boolean
}

/** Whether a rule takes a packet, but for what depends on chance and on sources seen before ({@link Rule.chance}, {@link Rule.recent}). */
export const matches = (rule: Rule, packet: PacketView): boolean => {
  const { source, destination, protocol, mark, states, isLocal } = packet
  if (rule.protocol !== undefined && rule.protocol !== protocol) return false
  if (rule.destinationPort !== undefined && rule.destinationPort !== destination.port) return false
  if (rule.destination !== undefined && !isIn(rule.destination, destination.address)) return false
  if (rule.source !== undefined && !isIn(rule.source, source)) return false
  if (rule.sourceIsLocal !== undefined && rule.sourceIsLocal !== isLocal(source)) return false
  if (rule.destinationIsLocal !== undefined && rule.destinationIsLocal !== isLocal(destination.address)) return false
  if (rule.mark !== undefined) {
    const isMarked = (mark & rule.mark.mask) === rule.mark.value
    if (isMarked === (rule.mark.not === true)) return false
  }
  return rule.states === undefined || rule.states.names.some((name) => states.includes(name)) !== (rule.states.not === true)
}

const isIn = ({ cidr, not }: AddressMatch, address: string): boolean => {
  if (!cidr.includes('/')) return (cidr === address) !== (not === true)
  const range = readCIDR(cidr)?.cidr
  const read = readAddress(address)?.address
  return (range !== undefined && read !== undefined && cidrContains(range, read)) !== (not === true)
}
