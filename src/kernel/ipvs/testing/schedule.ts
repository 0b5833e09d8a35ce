import { type IPProtocol, type RealAddress, type RealServer, realText, type VirtualServer } from '../index.ts'

/** The first packet of a connection. */
export interface FakePacket {
  readonly source: string
  readonly destination: RealAddress
  readonly protocol: IPProtocol
}

export interface FakeServer {
  server: VirtualServer
  readonly reals: FakeReal[]
  /** Of round robin. */
  turn: number
  /** Until when a client stays where. */
  readonly clients: Map<string, { readonly real: FakeReal; readonly until: number }>
}

export interface FakeReal {
  real: RealServer
  connections: number
  isGone: boolean
}

/** The real server that takes a connection; those of weight 0 take none. */
export const schedule = (server: FakeServer, packet: FakePacket): FakeReal | undefined => {
  const open = server.reals.filter(({ real }) => real.weight > 0)
  switch (server.server.scheduler) {
    case 'rr':
      return open[server.turn++ % open.length]
    case 'wrr': {
      const shares = open.flatMap((each) => Array.from({ length: each.real.weight }, () => each))
      return shares[server.turn++ % shares.length]
    }
    case 'sh':
    case 'mh':
      return byHash(open, packet.source)
    case 'dh':
      return byHash(open, packet.destination.address)
    case 'nq':
      return open.find(({ connections }) => connections === 0) ?? leastLoaded(open)
    default:
      return leastLoaded(open)
  }
}

/** The highest of the hashes of client and server together: another server's end moves nobody else. */
const byHash = (reals: readonly FakeReal[], key: string): FakeReal | undefined =>
  [...reals].sort((a, b) => hashOf(`${key} ${realText(b.real)}`) - hashOf(`${key} ${realText(a.real)}`))[0]

const leastLoaded = (reals: readonly FakeReal[]): FakeReal | undefined =>
  [...reals].sort((a, b) => a.connections / a.real.weight - b.connections / b.real.weight)[0]

/** FNV-1a of 32 bits. */
const hashOf = (text: string): number => {
  let hash = 0x811c_9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  return hash >>> 0
}
