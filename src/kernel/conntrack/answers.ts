import { addressFromBytes, formatAddress } from '../../ip/index.ts'
import type { ConntrackEntry, FlowEnd, ListFilter, Tuple } from './entries.ts'
import { AF, CTA, IP, PROTOCOL, PROTOCOL_NUMBER, STATUS_SEEN_REPLY, TUPLE } from './numbers.ts'
import { bytesOf } from './requests.ts'

/**
 * Reads the messages of one dump: gives the entry of a message's payload, or undefined when it is none of `filter`'s (the kernel may not have filtered) or of
 * another zone. Nothing is made of those, and little of the others: a busy node's table has 100,000. Fails on an entry that lacks a part.
 */
export const entryReader = (filter: ListFilter): ((payload: Buffer) => ConntrackEntry | undefined) => {
  const { family, protocol } = filter
  const isWanted = goesTo(filter)
  const addressAt = addressReader(filter)
  return (payload) => {
    const original = find(payload, NFGENMSG, payload.length, CTA.original)
    if (payload[0] !== AF[family] || !isWanted(payload, original)) return undefined
    const reply = find(payload, NFGENMSG, payload.length, CTA.reply)
    if (protocolAt(payload, original) !== PROTOCOL_NUMBER[protocol] || isOfAnotherZone(payload, original, reply)) return undefined
    return {
      family,
      protocol,
      original: tupleAt(payload, original, addressAt),
      reply: tupleAt(payload, reply, addressAt),
      mark: numberAt(payload, CTA.mark) ?? 0,
      id: numberAt(payload, CTA.id) ?? missing('id'),
      replied: ((numberAt(payload, CTA.status) ?? 0) & STATUS_SEEN_REPLY) !== 0,
    }
  }
}

/** Length of `nfgenmsg`. */
const NFGENMSG = 4

type Addresses = (payload: Buffer, tuple: number, side: 'source' | 'destination') => string

/** Text of an address; of IPv6 each is made once. */
const addressReader = ({ family }: ListFilter): Addresses => {
  const known = new Map<string, string>()
  return (payload, tuple, side) => {
    const at = inside(payload, inside(payload, tuple, TUPLE.address), IP[family][side])
    if (at === -1 || valueLength(payload, at) !== (family === 'IPv4' ? 4 : 16)) return missing('address')
    if (family === 'IPv4') return `${payload[at]}.${payload[at + 1]}.${payload[at + 2]}.${payload[at + 3]}`
    const bytes = payload.toString('latin1', at, at + 16)
    const text = known.get(bytes) ?? formatIPv6(payload.subarray(at, at + 16))
    known.set(bytes, text)
    return text
  }
}

const formatIPv6 = (bytes: Buffer): string => {
  const address = addressFromBytes(bytes)
  return address === undefined ? missing('address') : formatAddress(address)
}

const tupleAt = (payload: Buffer, tuple: number, addressAt: Addresses): Tuple => {
  const protocol = inside(payload, tuple, TUPLE.protocol)
  const end = (side: 'source' | 'destination'): FlowEnd => {
    const port = inside(payload, protocol, PROTOCOL[side])
    return { address: addressAt(payload, tuple, side), port: port === -1 ? missing('port') : payload.readUInt16BE(port) }
  }
  return { source: end('source'), destination: end('destination') }
}

const protocolAt = (payload: Buffer, tuple: number): number | undefined => {
  const at = inside(payload, inside(payload, tuple, TUPLE.protocol), PROTOCOL.number)
  return at === -1 ? missing('protocol') : payload[at]
}

const isOfAnotherZone = (payload: Buffer, original: number, reply: number): boolean =>
  find(payload, NFGENMSG, payload.length, CTA.zone) !== -1 ||
  inside(payload, original, TUPLE.zone) !== -1 ||
  inside(payload, reply, TUPLE.zone) !== -1

const numberAt = (payload: Buffer, type: number): number | undefined => {
  const at = find(payload, NFGENMSG, payload.length, type)
  return at === -1 ? undefined : payload.readUInt32BE(at)
}

const missing = (part: string): never => {
  throw new Error(`conntrack: the kernel's entry has no ${part}; another format than linux/netfilter/nfnetlink_conntrack.h?`)
}

/** Tells from the bytes whether a flow goes to one of the destinations. */
const goesTo = ({ family, destinations }: ListFilter): ((payload: Buffer, original: number) => boolean) => {
  if (destinations === undefined) return () => true
  const length = family === 'IPv4' ? 4 : 16
  const wanted = new Set(destinations.map(({ address, port }) => keyOf(Buffer.from(bytesOf(address)), 0, { length, port })))
  return (payload, original) => {
    const address = inside(payload, inside(payload, original, TUPLE.address), IP[family].destination)
    const port = inside(payload, inside(payload, original, TUPLE.protocol), PROTOCOL.destination)
    if (address === -1 || port === -1) return false
    return wanted.has(keyOf(payload, address, { length, port: payload.readUInt16BE(port) }))
  }
}

/** A number for IPv4, which is fast; text for IPv6. */
const keyOf = (bytes: Buffer, at: number, { length, port }: { readonly length: number; readonly port: number }) =>
  length === 4 ? bytes.readUInt32BE(at) * 0x1_0000 + port : `${bytes.toString('latin1', at, at + length)}${port}`

/** Where the value of an attribute inside of the one at `outer` begins, or -1. */
const inside = (bytes: Buffer, outer: number, type: number): number =>
  outer === -1 ? -1 : find(bytes, outer, outer + valueLength(bytes, outer), type)

/** Where the value of an attribute begins, or -1. Unlike `parseAttributes` it makes nothing. */
const find = (bytes: Buffer, from: number, end: number, type: number): number => {
  for (let at = from; at + 4 <= end; ) {
    const length = bytes.readUInt16LE(at)
    if (length < 4 || at + length > end) return -1
    if ((bytes.readUInt16LE(at + 2) & TYPE_MASK) === type) return at + 4
    at += (length + 3) & ~3
  }
  return -1
}

/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff

const valueLength = (bytes: Buffer, value: number): number => bytes.readUInt16LE(value - 4) - 4
