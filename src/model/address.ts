import { type Address, formatAddress, type IPFamily, isMulticast, isUnspecified, readAddress } from '../ip/index.ts'

/** An address in canonical text. */
export interface NamedAddress {
  readonly text: string
  readonly family: IPFamily
}

export type AddressRefusal = 'InvalidAddress' | 'ForbiddenAddress'

/**
 * An address of an object as canonical text. Lenient as Kubernetes must be with stored objects (leading zeros are decimal, mapped
 * IPv6 is IPv4), but nobody is reached at an unspecified or multicast address: binding `0.0.0.0` would take a port of the whole machine.
 */
export const namedAddress = (text: string): NamedAddress | AddressRefusal => {
  const address = readAddress(text.trim())?.address
  if (address === undefined) return 'InvalidAddress'
  if (isUnspecified(address) || isMulticast(address) || isBroadcast(address)) return 'ForbiddenAddress'
  const canonicalText = formatAddress(address)
  // Most are canonical: the object's own text costs no memory.
  return { text: canonicalText === text ? text : canonicalText, family: address.family }
}

const isBroadcast = (address: Address): boolean => address.family === 'IPv4' && address.value === 0xffff_ffffn

/** Any canonical form of `text`, or the text itself when it isn't an address. */
export const canonical = (text: string): string => {
  const address = readAddress(text)?.address
  return address === undefined ? text : formatAddress(address)
}

/** Text from an object that goes into a reason: hostile objects have long ones. */
export const clip = (text: string): string => (text.length > 64 ? `${text.slice(0, 61)}...` : text)
