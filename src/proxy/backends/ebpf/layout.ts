import { addressFromBytes, addressToBytes, formatAddress, readAddress } from '../../../ip/index.ts'
import type { MapSpec } from '../../../kernel/bpf/index.ts'
import type { Protocol, Target } from '../../../model/index.ts'

/**
 * The maps, and where each field of their keys and values lies. Addresses are 16 bytes, IPv4 as `::ffff:a.b.c.d`, so that a dual-stack socket
 * that asks for `::ffff:10.96.0.10` finds what an IPv4 socket finds; ports are in the network's order; the rest in the machine's (little-endian).
 */

/** Address, port and protocol of a frontend → number of its Service port, and who is served ({@link FLAG}). */
export const FRONTEND = { keySize: 20, valueSize: 8, address: 0, port: 16, protocol: 18, id: 0, flags: 4 } as const

/** Number of a Service port → how many endpoints its sets have. */
export const PORT = { keySize: 4, valueSize: 16, clusterCount: 0, localCount: 4, affinitySeconds: 8 } as const

/** Number of a Service port and a slot ({@link LOCAL_SLOTS} upwards for the local set) → endpoint. */
export const SLOT = { keySize: 8, valueSize: 20, id: 0, slot: 4, address: 0, port: 16 } as const

/** Number of a Service port and an endpoint → in which sets it is ({@link MEMBER}): what was chosen before counts only as long as it is. */
export const MEMBERSHIP = { keySize: 24, valueSize: 4, id: 0, address: 4, port: 20 } as const

/** Network namespace and number of a Service port → the endpoint that the client stays at. Written by programs. */
export const AFFINITY = { keySize: 16, valueSize: 32, cookie: 0, id: 8, usedAt: 0, address: 8, port: 24 } as const

/** Of one socket: the Service address that it asked for and the endpoint that it talks to. Written by programs. */
export const PEER = { valueSize: 40, service: 0, servicePort: 16, endpoint: 20, endpointPort: 36 } as const

/** Of one unconnected UDP socket: as {@link PEER}, for the last few Service addresses that it sent to. Written by programs. */
export const FLOWS = { count: 8, next: 8 * PEER.valueSize, valueSize: 8 * PEER.valueSize + 8 } as const

/** Cookie of a connected UDP socket → the endpoint that a Service led it to. Written by programs. */
export const CONNECTED = { keySize: 8, valueSize: 20 } as const

export const FLAG = { node: 1, nodeLocal: 2, others: 4, othersLocal: 8 } as const
export const MEMBER = { cluster: 1, local: 2 } as const
export const LOCAL_SLOTS = 0x8000_0000

/** How many elements the maps that Fairway fills can have. Memory is taken as it is used, but for 8 to 16 bytes an element. */
export interface Limits {
  /** Frontends, a NodePort once for each local address. */
  readonly frontends: number
  /** Service ports. */
  readonly ports: number
  /** Endpoints of Service ports. */
  readonly endpoints: number
}

export const DEFAULT_LIMITS: Limits = { frontends: 262_144, ports: 131_072, endpoints: 524_288 }
/** When there are more clients, those that were away longest lose their affinity. */
const AFFINITY_CLIENTS = 65_536
/** A socket more is carried, but not known when its endpoint goes. */
const CONNECTED_SOCKETS = 131_072

export type FilledMap = 'frontends' | 'ports' | 'slots' | 'members'
export type MapName = FilledMap | 'affinity' | 'peers' | 'flows' | 'connected'

export const mapSpecs = ({ frontends, ports, endpoints }: Limits): Readonly<Record<MapName, MapSpec>> => ({
  frontends: spec('frontends', 'hash', { ...FRONTEND, maxEntries: frontends }),
  ports: spec('ports', 'array', { ...PORT, maxEntries: ports }),
  slots: spec('slots', 'hash', { ...SLOT, maxEntries: endpoints }),
  members: spec('members', 'hash', { ...MEMBERSHIP, maxEntries: endpoints }),
  affinity: spec('affinity', 'lru hash', { ...AFFINITY, maxEntries: AFFINITY_CLIENTS }),
  connected: spec('connected', 'hash', { ...CONNECTED, maxEntries: CONNECTED_SOCKETS }),
  peers: spec('peers', 'socket storage', { ...PEER, keySize: 4, maxEntries: 0 }),
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

export const readFrontendKey = (key: string): FrontendKey => ({
  ...targetAt(key, FRONTEND.address),
  protocol: PROTOCOLS.get(key.charCodeAt(FRONTEND.protocol)) ?? 'TCP',
})

export interface FrontendValue {
  readonly id: number
  readonly flags: number
}

export const frontendValue = ({ id, flags }: FrontendValue): string => u32(id) + u32(flags)
export const readFrontendValue = (value: string): FrontendValue => ({
  id: readU32(value, FRONTEND.id),
  flags: readU32(value, FRONTEND.flags),
})

export const portKey = (id: number): string => u32(id)
export const readPortKey = (key: string): number => readU32(key, 0)

export interface PortValue {
  readonly cluster: number
  readonly local: number
  readonly affinitySeconds: number
}

export const portValue = ({ cluster, local, affinitySeconds }: PortValue): string =>
  u32(cluster) + u32(local) + u32(affinitySeconds) + u32(0)
export const readPortValue = (value: string): PortValue => ({
  cluster: readU32(value, PORT.clusterCount),
  local: readU32(value, PORT.localCount),
  affinitySeconds: readU32(value, PORT.affinitySeconds),
})
/** What an array says of a number that is not in use. */
export const NO_PORT = '\0'.repeat(PORT.valueSize)

export const slotKey = (id: number, slot: number): string => u32(id) + u32(slot)
export const readSlotKey = (key: string): { readonly id: number; readonly slot: number } => ({
  id: readU32(key, SLOT.id),
  slot: readU32(key, SLOT.slot),
})
export const slotValue = (target: Target): string => `${endpointBytes(target)}\0\0`
export const readSlotValue = (value: string): Target => targetAt(value, SLOT.address)

export const memberKey = (id: number, target: Target): string => `${u32(id)}${endpointBytes(target)}\0\0`
export const readMemberKey = (key: string): Target & { readonly id: number } => ({
  id: readU32(key, MEMBERSHIP.id),
  ...targetAt(key, MEMBERSHIP.address),
})
export const connectedKey = (cookie: bigint): string => u32(Number(cookie & 0xffff_ffffn)) + u32(Number(cookie >> 32n))
/** As `slotValue`: an endpoint. */
export const connectedValue = slotValue

export const memberValue = (sets: number): string => u32(sets)

const endpointBytes = ({ address, port }: Target): string => addressBytes(address) + bigEndian16(port)

const MAPPED_PREFIX = `${'\0'.repeat(10)}\xff\xff`

const addressBytes = (text: string): string => {
  const address = readAddress(text)?.address
  if (address === undefined) throw new Error(`ebpf: ${text} is no address`)
  const bytes = String.fromCharCode(...addressToBytes(address))
  return bytes.length === 16 ? bytes : MAPPED_PREFIX + bytes
}

/** An address of 16 bytes and, right after it, a port. */
const targetAt = (bytes: string, at: number): Target => {
  const address = bytes.slice(at, at + 16)
  const short = address.startsWith(MAPPED_PREFIX) ? address.slice(12) : address
  const read = addressFromBytes(Buffer.from(short, 'latin1'))
  return {
    address: read === undefined ? '' : formatAddress(read),
    port: (bytes.charCodeAt(at + 16) << 8) | bytes.charCodeAt(at + 17),
  }
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
