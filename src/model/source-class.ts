import { type CIDR, cidrContains, isLoopback, readAddress, readCIDR } from '../ip/index.ts'
import { canonical } from './address.ts'
import type { NodeView, SourceClass } from './forwarding.ts'

/**
 * How sources are told apart by their address. `reached` is the address that the client connected to: a process on the node
 * that connects to a local address has, without another choice, that very address as its source.
 */
export const sourceClassifier = (node: NodeView): ((source: string, reached?: string) => SourceClass) => {
  const pods = node.podCIDRs.flatMap((text): CIDR[] => {
    const cidr = readCIDR(text)?.cidr
    return cidr === undefined ? [] : [cidr]
  })
  const own = new Set(node.addresses.map(canonical))
  return (source, reached) => {
    const address = readAddress(source)?.address
    if (address === undefined) return 'outside'
    if (pods.some((cidr) => cidrContains(cidr, address))) return 'pod'
    const text = canonical(source)
    return own.has(text) || (reached !== undefined && canonical(reached) === text) || isLoopback(address) ? 'node' : 'outside'
  }
}
