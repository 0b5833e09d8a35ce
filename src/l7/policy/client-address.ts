import { bitsOf, readAddress, readCIDR } from '../../ip/index.ts'

/** A set of addresses that is asked for each request: binary search in disjoint ranges, and the last answer is kept. */
export class AddressSet {
  readonly isEmpty: boolean
  readonly #v4: Ranges
  readonly #v6: Ranges
  #lastAddress = ''
  #lastAnswer = false

  /** @throws when one is not a CIDR or an address: a list that guards must be whole. */
  constructor(cidrs: readonly string[]) {
    const ranges = cidrs.map(rangeOf)
    this.isEmpty = ranges.length === 0
    this.#v4 = disjoint(ranges.filter(({ family }) => family === 'IPv4'))
    this.#v6 = disjoint(ranges.filter(({ family }) => family === 'IPv6'))
  }

  /** IPv4-mapped IPv6 addresses count as the IPv4 ones; what is no address is in no set. */
  has(address: string): boolean {
    if (this.isEmpty) return false
    if (address === this.#lastAddress) return this.#lastAnswer
    const known = readAddress(address)?.address
    this.#lastAnswer = known !== undefined && contains(known.family === 'IPv4' ? this.#v4 : this.#v6, known.value)
    this.#lastAddress = address
    return this.#lastAnswer
  }
}

interface Range {
  readonly first: bigint
  readonly last: bigint
}

interface Ranges {
  readonly firsts: readonly bigint[]
  readonly lasts: readonly bigint[]
}

const rangeOf = (text: string): Range & { readonly family: 'IPv4' | 'IPv6' } => {
  const isAddress = !text.includes('/')
  const address = isAddress ? readAddress(text)?.address : undefined
  if (address !== undefined) return { family: address.family, first: address.value, last: address.value }
  const cidr = readCIDR(text)?.cidr
  if (cidr === undefined) throw new Error(`not a CIDR: ${text.slice(0, 64)}`)
  const size = 1n << BigInt(bitsOf(cidr.family) - cidr.prefix)
  return { family: cidr.family, first: cidr.base, last: cidr.base + size - 1n }
}

const disjoint = (ranges: readonly Range[]): Ranges => {
  const firsts: bigint[] = []
  const lasts: bigint[] = []
  for (const { first, last } of [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    const end = lasts.at(-1)
    if (end === undefined || first > end) {
      firsts.push(first)
      lasts.push(last)
    } else if (last > end) lasts[lasts.length - 1] = last
  }
  return { firsts, lasts }
}

const contains = ({ firsts, lasts }: Ranges, value: bigint): boolean => {
  let low = 0
  let high = firsts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((firsts[middle] as bigint) <= value) low = middle + 1
    else high = middle
  }
  return low > 0 && value <= (lasts[low - 1] as bigint)
}

const HOST_BITS = 64n

/** Who is limited together: an IPv4 address, or an IPv6 network of 64 bits, as one client has all of it. */
export const clientKey = (address: string): string => {
  if (!address.includes(':')) return address
  const known = readAddress(address)?.address
  if (known === undefined) return address
  return known.family === 'IPv4' ? known.value.toString() : (known.value >> HOST_BITS).toString(16)
}
