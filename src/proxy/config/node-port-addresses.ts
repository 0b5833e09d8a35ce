import { type Address, cidrContains, familyOf, isLinkLocal, isLoopback, parseAddress, parseCIDR } from '../../ip/index.ts'
import type { NodePortRange } from './checks.ts'

export interface NodeAddresses {
  /** Of all interfaces. */
  readonly machine: readonly string[]
  /** The one of each family by which the cluster knows this node. */
  readonly primary: readonly string[]
}

/**
 * The addresses that ranges and keywords mean on this machine now, sorted. `all` leaves out loopback, as every mode but iptables of kube-proxy
 * does; a range of a single address means that address, also before an interface has it.
 */
export const nodePortAddresses = (ranges: readonly NodePortRange[], { machine, primary }: NodeAddresses): readonly string[] => {
  const chosen = ranges.flatMap((range) => {
    switch (range.kind) {
      case 'primary':
        return primary
      case 'localhost':
        return machine.filter(isOnLoopback)
      case 'all':
        return machine.filter((address) => !isOnLoopback(address) && !isOnLink(address))
      case 'range':
        return inRange(range.cidr, machine)
      default:
        return range satisfies never
    }
  })
  return [...new Set(chosen)].sort()
}

const inRange = (cidr: string, machine: readonly string[]): readonly string[] => {
  const [address = '', bits] = cidr.split('/')
  if (bits === (familyOf(address) === 'IPv4' ? '32' : '128')) return [address]
  const range = parseCIDR(cidr)
  return machine.filter((text) => {
    const parsed = parseAddress(text)
    return parsed !== undefined && range !== undefined && cidrContains(range, parsed) && !isLinkLocal(parsed)
  })
}

const is = (kind: (address: Address) => boolean) => (text: string) => {
  const address = parseAddress(text)
  return address !== undefined && kind(address)
}
const isOnLoopback = is(isLoopback)
/** Means nothing without an interface. */
const isOnLink = is(isLinkLocal)
