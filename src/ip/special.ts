import { type Address, parseAddress } from './address.ts'
import { type CIDR, cidrContains, parseCIDR } from './cidr.ts'

const ranges = (...texts: readonly string[]): readonly CIDR[] =>
  texts.map((text) => {
    const cidr = parseCIDR(text)
    if (cidr === undefined) throw new Error(`not a CIDR: ${text}`)
    return cidr
  })

const within = (known: readonly CIDR[], address: Address): boolean => known.some((cidr) => cidrContains(cidr, address))

const LOOPBACK = ranges('127.0.0.0/8', '::1/128')
const LINK_LOCAL = ranges('169.254.0.0/16', 'fe80::/10')
const LINK_LOCAL_MULTICAST = ranges('224.0.0.0/24', 'ff02::/16')
const MULTICAST = ranges('224.0.0.0/4', 'ff00::/8')

export const isUnspecified = (address: Address): boolean => address.value === 0n
export const isLoopback = (address: Address): boolean => within(LOOPBACK, address)
export const isLinkLocal = (address: Address): boolean => within(LINK_LOCAL, address)
export const isLinkLocalMulticast = (address: Address): boolean => within(LINK_LOCAL_MULTICAST, address)
export const isMulticast = (address: Address): boolean => within(MULTICAST, address)

/** The family of an address in strict text; undefined when it isn't an address. */
export const familyOf = (text: string): Address['family'] | undefined => parseAddress(text)?.family
