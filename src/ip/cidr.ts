import { type Address, bitsOf, formatAddress, type IPFamily, readAddress } from './address.ts'

/** A range of addresses that share their first `prefix` bits. */
export interface CIDR {
  readonly family: IPFamily
  /** The first address, host bits zero. */
  readonly base: bigint
  readonly prefix: number
}

/** A CIDR as somebody wrote it, with what a strict reader objects to. */
export interface CIDRReading {
  readonly cidr: CIDR
  /** In the address or in the prefix length. */
  readonly leadingZeros: boolean
  readonly mapped: boolean
  /** The address has bits set beyond the prefix: `10.0.0.5/24`. */
  readonly hostBits: boolean
}

/** A CIDR in text, strictly: as {@link parseAddress}, and no bits beyond the prefix; undefined when it isn't one. */
export const parseCIDR = (text: string): CIDR | undefined => {
  const reading = readCIDR(text)
  return reading === undefined || reading.leadingZeros || reading.mapped || reading.hostBits ? undefined : reading.cidr
}

/** A CIDR in text as old stored objects may have it; undefined when it isn't one in any reading. */
export const readCIDR = (text: string): CIDRReading | undefined => {
  const slash = text.indexOf('/')
  const reading = slash < 0 ? undefined : readAddress(text.slice(0, slash))
  const length = text.slice(slash + 1)
  if (reading === undefined || !/^[0-9]{1,5}$/.test(length)) return undefined
  const { address, mapped } = reading
  const prefix = Number(length) - (mapped ? 96 : 0)
  if (prefix < 0 || prefix > bitsOf(address.family)) return undefined
  const cidr = cidrOf(address, prefix)
  return {
    cidr,
    leadingZeros: reading.leadingZeros || (length.length > 1 && length.startsWith('0')),
    mapped,
    hostBits: cidr.base !== address.value,
  }
}

/** The range of `prefix` bits in which an address lies. */
export const cidrOf = (address: Address, prefix: number): CIDR => {
  const host = BigInt(bitsOf(address.family) - prefix)
  return { family: address.family, base: (address.value >> host) << host, prefix }
}

export const formatCIDR = (cidr: CIDR): string => `${formatAddress(firstAddress(cidr))}/${cidr.prefix}`

const hostBitsOf = (cidr: CIDR): bigint => BigInt(bitsOf(cidr.family) - cidr.prefix)

/** How many addresses the range has, all counted. */
export const cidrSize = (cidr: CIDR): bigint => 1n << hostBitsOf(cidr)

export const firstAddress = (cidr: CIDR): Address => ({ family: cidr.family, value: cidr.base })

export const lastAddress = (cidr: CIDR): Address => ({ family: cidr.family, value: cidr.base + cidrSize(cidr) - 1n })

export const cidrContains = (cidr: CIDR, address: Address): boolean =>
  cidr.family === address.family && (address.value ^ cidr.base) >> hostBitsOf(cidr) === 0n

/** Whether every address of `inner` lies in `outer`. */
export const cidrContainsCIDR = (outer: CIDR, inner: CIDR): boolean =>
  outer.prefix <= inner.prefix && cidrContains(outer, firstAddress(inner))

/** Whether two ranges share an address. */
export const cidrsOverlap = (a: CIDR, b: CIDR): boolean => cidrContainsCIDR(a, b) || cidrContainsCIDR(b, a)

/** The address at an offset from the range's first; undefined outside the range. */
export const addressAt = (cidr: CIDR, offset: bigint | number): Address | undefined => {
  const distance = BigInt(offset)
  return distance < 0n || distance >= cidrSize(cidr) ? undefined : { family: cidr.family, value: cidr.base + distance }
}

/** The offset of an address from the range's first; undefined when it lies outside. */
export const offsetIn = (cidr: CIDR, address: Address): bigint | undefined =>
  cidrContains(cidr, address) ? address.value - cidr.base : undefined

/** The addresses of a range in order, from an offset on. */
export function* addressesFrom(cidr: CIDR, offset: bigint | number = 0): Generator<Address> {
  const end = cidr.base + cidrSize(cidr)
  for (let value = cidr.base + BigInt(offset); value < end; value++) yield { family: cidr.family, value }
}
