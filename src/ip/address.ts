/** As Kubernetes names the families in `spec.ipFamilies`. */
export type IPFamily = 'IPv4' | 'IPv6'

/** One address; `value` is its bits as a number, most significant first. */
export interface Address {
  readonly family: IPFamily
  readonly value: bigint
}

/** An address as somebody wrote it, with what a strict reader objects to. */
export interface AddressReading {
  readonly address: Address
  /** Decimal parts such as `010`: read as decimal here, as octal elsewhere (CVE-2021-29923). */
  readonly leadingZeros: boolean
  /** `::ffff:1.2.3.4`: its `address` is the IPv4 one. */
  readonly mapped: boolean
}

const MAPPED_PREFIX = 0xffffn

/** The number of bits of an address of a family. */
export const bitsOf = (family: IPFamily): 32 | 128 => (family === 'IPv4' ? 32 : 128)

/** An address in text, strictly: no leading zeros, no IPv4-mapped IPv6, no zone, no blanks; undefined when it isn't one. */
export const parseAddress = (text: string): Address | undefined => {
  const reading = readAddress(text)
  return reading === undefined || reading.leadingZeros || reading.mapped ? undefined : reading.address
}

/** An address in text as old stored objects may have it; undefined when it isn't one in any reading. */
export const readAddress = (text: string): AddressReading | undefined => {
  if (text.length > MAX_TEXT) return undefined
  return text.includes(':') ? readIPv6(text) : readDotted(text)
}

/** The longest text that may hold an address: leading zeros are unlimited in the lenient form, but not in reason. */
const MAX_TEXT = 64

const readDotted = (text: string): AddressReading | undefined => {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  let leadingZeros = false
  for (const part of parts) {
    if (!/^[0-9]+$/.test(part)) return undefined
    const byte = Number(part)
    if (byte > 255) return undefined
    leadingZeros ||= part.length > 1 && part.startsWith('0')
    value = value * 256 + byte
  }
  return { address: { family: 'IPv4', value: BigInt(value) }, leadingZeros, mapped: false }
}

const readIPv6 = (text: string): AddressReading | undefined => {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves
  const first = readGroups(head ?? '', tail === undefined)
  const last = tail === undefined ? NO_GROUPS : readGroups(tail, true)
  if (first === undefined || last === undefined) return undefined
  const count = first.groups.length + last.groups.length
  // `::` stands for at least one group.
  if (tail === undefined ? count !== 8 : count > 7) return undefined
  const groups = [...first.groups, ...Array<number>(8 - count).fill(0), ...last.groups]
  let value = 0n
  for (const group of groups) value = (value << 16n) | BigInt(group)
  const leadingZeros = first.leadingZeros || last.leadingZeros
  if (value >> 32n === MAPPED_PREFIX) {
    return { address: { family: 'IPv4', value: value & 0xffff_ffffn }, leadingZeros, mapped: true }
  }
  return { address: { family: 'IPv6', value }, leadingZeros, mapped: false }
}

interface Groups {
  readonly groups: readonly number[]
  readonly leadingZeros: boolean
}

const NO_GROUPS: Groups = { groups: [], leadingZeros: false }

/** Reads groups between colons; the last one may be a dotted IPv4 address where `dottedEnd`. */
const readGroups = (text: string, dottedEnd: boolean): Groups | undefined => {
  if (text === '') return NO_GROUPS
  const groups: number[] = []
  let leadingZeros = false
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (dottedEnd && index === parts.length - 1 && part.includes('.')) {
      const dotted = readDotted(part)
      if (dotted === undefined) return undefined
      leadingZeros = dotted.leadingZeros
      groups.push(Number(dotted.address.value >> 16n), Number(dotted.address.value & 0xffffn))
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return { groups, leadingZeros }
}

/** The canonical text of an address: dotted decimal, or RFC 5952. */
export const formatAddress = (address: Address): string =>
  address.family === 'IPv4' ? formatDotted(address.value) : formatIPv6(address.value)

const formatDotted = (value: bigint): string => {
  const bits = Number(value)
  return `${Math.floor(bits / 0x100_0000)}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
}

const formatIPv6 = (value: bigint): string => {
  if (value >> 32n === MAPPED_PREFIX) return `::ffff:${formatDotted(value & 0xffff_ffffn)}`
  const groups = groupsOf(value)
  const run = longestZeroRun(groups)
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  // RFC 5952 4.2.2: a single zero group is not shortened.
  if (run.length < 2) return hex(groups)
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`
}

const groupsOf = (value: bigint): readonly number[] =>
  Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn))

const longestZeroRun = (groups: readonly number[]): { start: number; length: number } => {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  }
  return best
}

/** An address `distance` after (or, negative, before) another; undefined where the family ends. */
export const addToAddress = (address: Address, distance: bigint): Address | undefined => {
  const value = address.value + distance
  return value < 0n || value >> BigInt(bitsOf(address.family)) !== 0n ? undefined : { family: address.family, value }
}

/** A total order: IPv4 before IPv6, then by value. */
export const compareAddresses = (a: Address, b: Address): number => {
  if (a.family !== b.family) return a.family === 'IPv4' ? -1 : 1
  if (a.value === b.value) return 0
  return a.value < b.value ? -1 : 1
}

export const sameAddress = (a: Address, b: Address): boolean => a.family === b.family && a.value === b.value

/** 4 or 16 bytes in network order. */
export const addressToBytes = (address: Address): Uint8Array => {
  const length = bitsOf(address.family) / 8
  return Uint8Array.from({ length }, (_, index) => Number((address.value >> BigInt(8 * (length - 1 - index))) & 0xffn))
}

/** The address in 4 or 16 bytes in network order; undefined for another length. */
export const addressFromBytes = (bytes: Uint8Array): Address | undefined => {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return { family: bytes.length === 4 ? 'IPv4' : 'IPv6', value }
}
