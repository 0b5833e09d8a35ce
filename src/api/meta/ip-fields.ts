import { isLinkLocal, isLinkLocalMulticast, isLoopback, isUnspecified, readAddress, readCIDR } from '../../ip/index.ts'

/**
 * What is wrong with an address in a new object (KEP-4858: no leading zeros, no IPv4-mapped IPv6), in Kubernetes' words.
 * `stored` are values of the object that is replaced: they were accepted once and stay so.
 */
export const addressErrors = (value: string, stored: readonly string[] = []): readonly string[] => {
  const reading = readAddress(value)
  if (reading === undefined) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']
  if (stored.includes(value)) return []
  const errors: string[] = []
  if (reading.leadingZeros) errors.push('must not have leading 0s')
  if (reading.mapped) errors.push('must not be an IPv4-mapped IPv6 address')
  return errors
}

/** The same for a CIDR, which may have no bits beyond its prefix. */
export const cidrErrors = (value: string, stored: readonly string[] = []): readonly string[] => {
  const reading = readCIDR(value)
  if (reading === undefined) return ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']
  if (stored.includes(value)) return []
  if (reading.leadingZeros) return ['must not have leading 0s in IP or prefix length']
  if (reading.mapped) return ['must not have an IPv4-mapped IPv6 address']
  return reading.hostBits ? ['must not have bits set beyond the prefix length'] : []
}

/** What is wrong with an address that must be one that others can reach. */
export const specialAddressErrors = (value: string): readonly string[] => {
  const address = readAddress(value)?.address
  const loopback = address !== undefined && isLoopback(address)
  const errors = endpointAddressErrors(value)
  return loopback ? [...errors, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'] : errors
}

/** The same for an endpoint, which may be a loopback address: that is where an ordinary user's pods live (ADR 0006). */
export const endpointAddressErrors = (value: string): readonly string[] => {
  const address = readAddress(value)?.address
  if (address === undefined) return ['must be a valid IP address']
  const errors: string[] = []
  if (isUnspecified(address)) errors.push(`may not be unspecified (${value})`)
  if (isLinkLocal(address)) errors.push('may not be in the link-local range (169.254.0.0/16, fe80::/10)')
  if (isLinkLocalMulticast(address)) errors.push('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')
  return errors
}
