import { createHash } from 'node:crypto'
import { addressAt, type CIDR, cidrContains, cidrSize, formatAddress, parseAddress } from '../../ip/index.ts'

/** Hands out the addresses of load balancers. */
export type VipPool = (taken: ReadonlySet<string>, wanted?: string) => string | undefined

/**
 * The first free address, from a place on that `seed` decides: emulators with folders of their own on one machine seldom want the same. The first and the last of the range are left out.
 */
export const createVipPool = (cidr: CIDR, seed: string): VipPool => {
  const size = cidrSize(cidr)
  const usable = size > 2n ? size - 2n : size
  const first = size > 2n ? 1n : 0n
  const start = createHash('sha256').update(seed).digest().readBigUInt64BE() % usable
  return (taken, wanted) => {
    if (wanted !== undefined) {
      const address = parseAddress(wanted)
      return address !== undefined && cidrContains(cidr, address) && !taken.has(wanted) ? wanted : undefined
    }
    for (let tried = 0n; tried < usable && tried <= taken.size; tried++) {
      const address = addressAt(cidr, first + ((start + tried) % usable))
      const text = address && formatAddress(address)
      if (text !== undefined && !taken.has(text)) return text
    }
    return undefined
  }
}
