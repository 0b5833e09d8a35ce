import { addressAt, formatAddress, parseCIDR } from '../ip/index.ts'

/** The address at `offset` in a range of ClusterIPs; throws for a range that is too small. */
export const serviceAddress = (serviceCidr: string, offset: bigint): string => {
  const cidr = parseCIDR(serviceCidr)
  const address = cidr && addressAt(cidr, offset)
  if (!address) throw new Error(`the range ${serviceCidr} has no address ${offset}`)
  return formatAddress(address)
}
