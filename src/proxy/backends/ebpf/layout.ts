import { addressFromBytes, addressToBytes, formatAddress, readAddress } from '../../../ip/index.ts'
import type { MapSpec } from '../../../kernel/bpf/index.ts'
import type { Protocol, Target } from '../../../model/index.ts'

/**
 * The maps, and where each field of their keys and values lies. Addresses are 16 bytes, IPv4 as `::ffff:a.b.c.d`, so that a dual-stack socket
 * that asks for `::ffff:10.96.0.10` finds what an IPv4 socket finds; ports are in the network's order; the rest in the machine's (little-endian).
 */

/** An endpoint, wherever it lies: 16 bytes of address, 2 of port, 2 of zeros. */
export const ENDPOINT = { size: 20, address: 0, port: 16 } as const

/** A cluster set of so many endpoints or fewer lies in its frontends: most Services are small, and a look-up less is a cache miss or three less. */
export const INLINE = 5

/**
 * Address, port and protocol of a frontend → its Service port: number, who is served ({@link FLAG}), how many endpoints its sets have, and the
 * cluster set where it is small.
 */
export const FRONTEND = {
  keySize: 20,
  valueSize: 20 + INLINE * ENDPOINT.size,
  address: 0,
  port: 16,
  protocol: 18,
  id: 0,
  flags: 4,
  clusterCount: 8,
  localCount: 12,
  affinitySeconds: 16,
  inline: 20,
} as const

/** Number of a Service port and a slot ({@link LOCAL_SLOTS} upwards for the local set) → endpoint. */
export const SLOT = { keySize: 8, valueSize: ENDPOINT.size, id: 0, slot: 4 } as const

/** Endpoint and number of a Service port → in which sets it is ({@link MEMBER}): what was chosen before counts only as long as it is. */
const MEMBERSHIP = { keySize: 24, valueSize: 4, endpoint: 0, id: 20 } as const

/** Network namespace and number of a Service port → the endpoint that the client stays at. Written by programs. */
export const AFFINITY = { keySize: 16, valueSize: 32, cookie: 0, id: 8, usedAt: 0, endpoint: 8 } as const

/** Cookie of a connected socket → the frontend (its key) that it asked for and the endpoint that it has. Written by programs. */
export const PEER = { keySize: 8, valueSize: FRONTEND.keySize + ENDPOINT.size, frontend: 0, endpoint: FRONTEND.keySize } as const

/** Of one unconnected UDP socket: as {@link PEER}, for the last few frontends that it sent to. Written by programs. */
export const FLOWS = { count: 8, next: 8 * PEER.valueSize, valueSize: 8 * PEER.valueSize + 8 } as const

/** Cookie of a pod's network namespace → 1. Sockets of namespaces that are neither here nor the node's own are left alone. */
const POD = { keySize: 8, valueSize: 4 } as const

export const FLAG = { node: 1, nodeLocal: 2, pod: 4, podLocal: 8 } as const
export const MEMBER = { cluster: 1, local: 2 } as const
export const LOCAL_SLOTS = 0x8000_0000

/** How many elements the maps that Fairway fills can have. Memory is taken as it is used, but for 16 bytes an element. */
export interface Limits {
  /** A NodePort counts once for each local address. */
  readonly frontends: number
  /** Endpoints of Service ports. */
  readonly endpoints: number
}

export const DEFAULT_LIMITS: Limits = { frontends: 262_144, endpoints: 524_288 }
/** When there are more clients, those that were away longest lose their affinity. */
const AFFINITY_CLIENTS = 65_536
/** Far more than a node runs. */
const PODS = 16_384
/** Sockets that are connected through the programs at one time; what is more is left to the inner backend. */
const CONNECTED_SOCKETS = 262_144

export type FilledMap = 'frontends' | 'slots' | 'members'
export type MapName = FilledMap | 'pods' | 'affinity' | 'peers' | 'flows'

export const mapSpecs = ({ frontends, endpoints }: Limits): Readonly<Record<MapName, MapSpec>> => ({
  frontends: spec('frontends', 'hash', { ...FRONTEND, maxEntries: frontends }),
  slots: spec('slots', 'hash', { ...SLOT, maxEntries: endpoints }),
  members: spec('members', 'hash', { ...MEMBERSHIP, maxEntries: endpoints }),
  pods: spec('pods', 'hash', { ...POD, maxEntries: PODS }),
  affinity: spec('affinity', 'lru hash', { ...AFFINITY, maxEntries: AFFINITY_CLIENTS }),
  peers: spec('peers', 'hash', { ...PEER, maxEntries: CONNECTED_SOCKETS }),
  flows: spec('flows', 'socket storage', { ...FLOWS, keySize: 4, maxEntries: 0 }),
})

const spec = (
  name: MapName,
  kind: MapSpec['kind'],
  { keySize, valueSize, maxEntries }: Pick<MapSpec, 'keySize' | 'valueSize' | 'maxEntries'>,
): MapSpec => ({ name: `fw_${name}`, kind, keySize, valueSize, maxEntries })

const NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }
const PROTOCOLS = new Map(Object.entries(NUMBERS).map(([name, number]) => [number, name as Protocol])) // its own keys

export interface FrontendKey extends Target {
  readonly protocol: Protocol
}

export const frontendKey = ({ address, port, protocol }: FrontendKey): string =>
  `${addressBytes(address)}${bigEndian16(port)}${String.fromCharCode(NUMBERS[protocol])}\0`

/** Without reading the rest. */
export const isUdpFrontend = (key: string): boolean => key.charCodeAt(FRONTEND.protocol) === NUMBERS.UDP

export const readFrontendKey = (key: string): FrontendKey => ({
  ...targetAt(key, FRONTEND.address),
  protocol: PROTOCOLS.get(key.charCodeAt(FRONTEND.protocol)) ?? 'TCP',
})

export interface FrontendValue {
  readonly id: number
  readonly flags: number
  readonly cluster: number
  readonly local: number
  readonly affinitySeconds: number
  /** The cluster set, where it is small, each endpoint as {@link endpointBytes}. */
  readonly inline: readonly string[]
}

export const frontendValue = ({ id, flags, cluster, local, affinitySeconds, inline }: FrontendValue): string =>
  (u32(id) + u32(flags) + u32(cluster) + u32(local) + u32(affinitySeconds) + inline.join('')).padEnd(FRONTEND.valueSize, '\0')
export const readFrontendValue = (value: string): FrontendValue => {
  const cluster = readU32(value, FRONTEND.clusterCount)
  const count = cluster <= INLINE ? cluster : 0
  return {
    id: readU32(value, FRONTEND.id),
    flags: readU32(value, FRONTEND.flags),
    cluster,
    local: readU32(value, FRONTEND.localCount),
    affinitySeconds: readU32(value, FRONTEND.affinitySeconds),
    inline: Array.from({ length: count }, (_, index) => {
      const start = FRONTEND.inline + index * ENDPOINT.size
      return value.slice(start, start + ENDPOINT.size)
    }),
  }
}

export const slotKey = (id: number, slot: number): string => u32(id) + u32(slot)
export const readSlotKey = (key: string): { readonly id: number; readonly slot: number } => ({
  id: readU32(key, SLOT.id),
  slot: readU32(key, SLOT.slot),
})

export const endpointBytes = ({ address, port }: Target): string => `${addressBytes(address) + bigEndian16(port)}\0\0`
export const readEndpoint = (bytes: string): Target => targetAt(bytes, 0)

export const memberKey = (id: number, target: Target): string => endpointBytes(target) + u32(id)
export const readMemberKey = (key: string): Target & { readonly id: number } => ({
  id: readU32(key, MEMBERSHIP.id),
  ...targetAt(key, MEMBERSHIP.endpoint),
})
export const memberValue = (sets: number): string => u32(sets)

export const cookieKey = (cookie: bigint): string => u32(Number(cookie & 0xffff_ffffn)) + u32(Number(cookie >> 32n))
export const POD_VALUE = '\x01\0\0\0'

/** The endpoint in a {@link PEER}, as bytes. */
export const peerEndpoint = (value: string): string => value.slice(PEER.endpoint)

const MAPPED_PREFIX = `${'\0'.repeat(10)}\xff\xff`

/** Hundreds of thousands are written at a load: IPv4 goes without big numbers. */
const addressBytes = (text: string): string => {
  if (!text.includes(':')) {
    const parts = text.split('.').map(Number)
    if (parts.length === 4 && parts.every((part) => part >= 0 && part <= 255))
      return MAPPED_PREFIX + String.fromCharCode(...parts)
  }
  const address = readAddress(text)?.address
  if (address === undefined) throw new Error(`ebpf: ${text} is no address`)
  return String.fromCharCode(...addressToBytes(address))
}

/** An address of 16 bytes and, right after it, a port. */
const targetAt = (bytes: string, at: number): Target => ({
  address: addressText(bytes.slice(at, at + 16)),
  port: (bytes.charCodeAt(at + 16) << 8) | bytes.charCodeAt(at + 17),
})

const addressText = (bytes: string): string => {
  if (bytes.startsWith(MAPPED_PREFIX)) return [12, 13, 14, 15].map((at) => bytes.charCodeAt(at)).join('.')
  const address = addressFromBytes(Buffer.from(bytes, 'latin1'))
  return address === undefined ? '' : formatAddress(address)
}

const bigEndian16 = (value: number): string => String.fromCharCode(value >> 8, value & 0xff)
const u32 = (value: number): string =>
  String.fromCharCode(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
const readU32 = (bytes: string, at: number): number =>
  (bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)) >>>
  0
