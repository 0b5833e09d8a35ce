import { isLinkLocal, isLoopback, isMulticast, isUnspecified, readAddress } from '../../../ip/index.ts'
import { AddressSet } from '../client-address.ts'

export interface TargetGuardOptions {
  /** CIDRs that targets may have although they are refused by default. */
  readonly allowedTargets: readonly string[]
  /** CIDRs that targets may not have: the engine's own addresses, the API server's. */
  readonly deniedTargets: readonly string[]
}

/**
 * Whether an address that a user's setting leads to may be connected to: not loopback, link-local (cloud metadata is there), unspecified,
 * multicast or broadcast, nor one that the settings deny; what the settings allow may always.
 */
export const targetGuard = (options: TargetGuardOptions): ((address: string) => boolean) => {
  const allowed = new AddressSet(options.allowedTargets)
  const denied = new AddressSet([...options.deniedTargets, ...NOT_PUBLISHED])
  return (text) => {
    const address = readAddress(text)?.address
    if (address === undefined) return false
    if (allowed.has(text)) return true
    return !(denied.has(text) || isLoopback(address) || isLinkLocal(address) || isUnspecified(address) || isMulticast(address))
  }
}

/**
 * Broadcast and "this network", metadata of clouds outside link-local (AWS over IPv6, Alibaba), and ranges in which an IPv4 address hides in an
 * IPv6 one (compatible, NAT64, 6to4, Teredo): behind them could be any of the refused.
 */
const NOT_PUBLISHED = [
  '0.0.0.0/8',
  '255.255.255.255/32',
  '100.100.100.200/32',
  'fd00:ec2::254/128',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/32',
]
