import { type CIDR, cidrContains, parseAddress, parseCIDR } from '../../ip/index.ts'
import type { SetType } from './objects.ts'

/** What a set looks at in a packet. */
export interface SetPacket {
  readonly source: string
  readonly destination: { readonly address: string; readonly port: number }
  readonly protocol: 'tcp' | 'udp' | 'sctp'
}

/** Which end of the packet a part of a member is compared with. */
export type Direction = 'src' | 'dst'

/** Whether a packet is meant by a member, as `-m set --match-set SET dst,dst,src` asks: one direction for each part. Source ports are never looked at. */
export const entryMatches = (
  type: SetType,
  entry: string,
  { directions, packet }: { readonly directions: readonly Direction[]; readonly packet: SetPacket },
): boolean => {
  if (type === 'bitmap:port') return directions[0] === 'dst' && entry === String(packet.destination.port)
  const parts = entry.split(',')
  return kindsOf(type).every((kind, index) => partMatches(kind, parts[index] ?? '', { direction: directions[index], packet }))
}

/** What a member of a hash is made of. */
export const kindsOf = (type: SetType): readonly Kind[] => KINDS[type]

type Kind = 'ip' | 'net' | 'port'

const KINDS: Readonly<Record<SetType, readonly Kind[]>> = {
  'hash:ip': ['ip'],
  'hash:net': ['net'],
  'hash:ip,port': ['ip', 'port'],
  'hash:ip,port,ip': ['ip', 'port', 'ip'],
  'hash:ip,port,net': ['ip', 'port', 'net'],
  'bitmap:port': ['port'],
}

const partMatches = (
  kind: Kind,
  part: string,
  { direction, packet }: { readonly direction: Direction | undefined; readonly packet: SetPacket },
): boolean => {
  const { source, destination, protocol } = packet
  if (kind === 'port') return direction === 'dst' && part === `${protocol}:${destination.port}`
  const value = direction === 'src' ? source : destination.address
  if (kind !== 'net') return part === value
  const net = netOf(part)
  const address = parseAddress(value)
  return net !== undefined && address !== undefined && cidrContains(net, address)
}

/** A net as members have it: one address without a length. */
export const netOf = (text: string): CIDR | undefined =>
  parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
