import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * Addresses, as CIDRs, that a server named in an Ingress may not have: this machine's and the API server's. From the engine they would be reached with
 * rights that whoever wrote the Ingress has not.
 */
export const guardedAddresses = async (apiServer: string): Promise<readonly string[]> => {
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address))
  return [...own, ...(await addressesOf(new URL(apiServer).hostname))].map(
    (address) => `${address}/${isIPv6(address) ? 128 : 32}`,
  )
}

const addressesOf = async (name: string): Promise<readonly string[]> => {
  try {
    const found = await lookup(name.replace(/^\[|\]$/g, ''), { all: true })
    return found.map(({ address }) => address)
  } catch {
    // The client that connects to it says so.
    return []
  }
}
