import { addressFromBytes, formatAddress } from '../../ip/index.ts'
import { PROTOCOLS } from './encode.ts'
import type { Field } from './fields.ts'

const PROTOCOL_NAMES = new Map(PROTOCOLS.map(([name, number]) => [number, name]))

/** The canonical text of fields that begin at `at`; fields of a concatenation begin at whole registers. */
export const decodeFields = (fields: readonly Field[], bytes: Uint8Array, at: number): string => {
  let text = ''
  let from = at
  for (const field of fields) {
    if (from > at) text += ' . '
    text += decodeField(field, bytes, from)
    from += (field.length + 3) & ~3
  }
  return text
}

/** As `decodeFields`, for an interval from the bytes of `start` to those of `end`, both included. */
export const decodeRange = (fields: readonly Field[], start: Uint8Array, end: Uint8Array): string => {
  const words: string[] = []
  let from = 0
  for (const field of fields) {
    words.push(rangeText(field, start.subarray(from), end.subarray(from)))
    from += (field.length + 3) & ~3
  }
  return words.join(' . ')
}

const decodeField = ({ name }: Field, bytes: Uint8Array, at: number): string => {
  switch (name) {
    case 'ipv4_addr':
      return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
    case 'ipv6_addr':
      return ipv6Text(bytes, at)
    case 'inet_proto': {
      const number = bytes[at] ?? 0
      return PROTOCOL_NAMES.get(number) ?? String(number)
    }
    case 'inet_service':
      return String(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0))
    case 'mark':
      return String(native(bytes, at))
    case 'classid': {
      const number = native(bytes, at)
      return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`
    }
    default:
      return name satisfies never
  }
}

/** RFC 5952, without the detour over a big number that `formatAddress` makes: adoption reads hundreds of thousands. */
const ipv6Text = (bytes: Uint8Array, at: number): string => {
  let best = 0
  let bestLength = 1
  let length = 0
  for (let group = 0; group < 8; group++) {
    length = groupAt(bytes, at, group) === 0 ? length + 1 : 0
    if (length > bestLength) {
      bestLength = length
      best = group - length + 1
    }
  }
  const isMapped = best === 0 && bestLength === 5 && groupAt(bytes, at, 5) === 0xffff
  if (isMapped) return formatAddress(addressFromBytes(bytes.subarray(at, at + 16)) ?? UNSPECIFIED)
  if (bestLength === 1) return groupsText(bytes, at, [0, 8])
  return `${groupsText(bytes, at, [0, best])}::${groupsText(bytes, at, [best + bestLength, 8])}`
}

const UNSPECIFIED = { family: 'IPv6', value: 0n } as const

const groupAt = (bytes: Uint8Array, at: number, group: number): number =>
  ((bytes[at + group * 2] ?? 0) << 8) | (bytes[at + group * 2 + 1] ?? 0)

const groupsText = (bytes: Uint8Array, at: number, [from, to]: readonly [number, number]): string => {
  let text = ''
  for (let group = from; group < to; group++) {
    if (group > from) text += ':'
    text += groupAt(bytes, at, group).toString(16)
  }
  return text
}

const native = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0

/** A single value, a prefix where the interval is one, otherwise `from-to`. */
const rangeText = (field: Field, start: Uint8Array, end: Uint8Array): string => {
  const from = decodeField(field, start, 0)
  const to = decodeField(field, end, 0)
  if (from === to) return from
  const prefix = prefixLength(field.length, start, end)
  return prefix === undefined ? `${from}-${to}` : `${from}/${prefix}`
}

/** Of an interval that starts with zeros and ends with ones behind a common prefix. */
const prefixLength = (length: number, start: Uint8Array, end: Uint8Array): number | undefined => {
  let prefix = 0
  while (prefix < length * 8 && bit(start, prefix) === bit(end, prefix)) prefix++
  for (let index = prefix; index < length * 8; index++) {
    if (bit(start, index) !== 0 || bit(end, index) !== 1) return undefined
  }
  return prefix
}

const bit = (bytes: Uint8Array, index: number): number => ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1
