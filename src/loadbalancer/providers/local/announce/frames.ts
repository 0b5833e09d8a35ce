import { addressToBytes, parseAddress } from '../../../../ip/index.ts'

/** What tells everybody on a link that an address is at this device now. */
export interface Speaker {
  /** Six bytes. */
  readonly mac: Uint8Array
  readonly address: string
}

/** `52:54:00:12:34:56`; undefined for what is none. */
export const parseMac = (text: string): Uint8Array | undefined =>
  /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16)) : undefined

/** Frames to send: for IPv4 an ARP request and an ARP reply, since some hosts heed only one of them; for IPv6 a neighbour advertisement. */
export const announcementFrames = (speaker: Speaker): readonly Uint8Array[] => {
  const address = parseAddress(speaker.address)
  if (address === undefined) return []
  const bytes = addressToBytes(address)
  if (address.family === 'IPv6') return [neighbourAdvertisement(speaker.mac, bytes)]
  return [ARP_REQUEST, ARP_REPLY].map((operation) => gratuitousArp(speaker.mac, bytes, operation))
}

const ARP_REQUEST = 1
const ARP_REPLY = 2
const BROADCAST = new Uint8Array(6).fill(0xff)

/** RFC 5227, section 3: sender and target are the address itself. */
const gratuitousArp = (mac: Uint8Array, address: Uint8Array, operation: number): Uint8Array => {
  const target = operation === ARP_REPLY ? BROADCAST : new Uint8Array(6)
  const arp = [0, 1, 0x08, 0, 6, 4, 0, operation, ...mac, ...address, ...target, ...address]
  return Uint8Array.from([...BROADCAST, ...mac, 0x08, 0x06, ...arp])
}

const ICMPV6 = 58
const HOP_LIMIT = 255
const NEIGHBOUR_ADVERTISEMENT = 136
const OVERRIDE = 0x20
const ROUTER = 0x80
const ALL_NODES = Uint8Array.from([0xff, 0x02, ...new Uint8Array(13), 1])
const ALL_NODES_MAC = Uint8Array.from([0x33, 0x33, 0, 0, 0, 1])

/** RFC 4861, section 7.2.6: unsolicited, overriding, to all nodes, with the link-layer address. */
const neighbourAdvertisement = (mac: Uint8Array, address: Uint8Array): Uint8Array => {
  const message = Uint8Array.from([NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE | ROUTER, 0, 0, 0, ...address, 2, 1, ...mac])
  const sum = checksum([...address, ...ALL_NODES, 0, 0, 0, message.length, 0, 0, 0, ICMPV6, ...message])
  message.set([sum >> 8, sum & 0xff], 2)
  const header = [0x60, 0, 0, 0, 0, message.length, ICMPV6, HOP_LIMIT, ...address, ...ALL_NODES]
  return Uint8Array.from([...ALL_NODES_MAC, ...mac, 0x86, 0xdd, ...header, ...message])
}

/** RFC 1071. */
const checksum = (bytes: readonly number[]): number => {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}
