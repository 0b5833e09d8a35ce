import type { FakeBpf, FakeSocket, Peer } from '../../../../kernel/bpf/testing/index.ts'
import type { FakeNft } from '../../../../kernel/nft/testing/index.ts'
import { canonical, type NodeView, type Packet } from '../../../../model/index.ts'
import type { Outcome } from '../../../backend.conformance.ts'
import { sendThrough } from '../../nftables/testing/index.ts'

/** The cookie of the node's network namespace. */
export const NODE_COOKIE = 4_026n

/** A machine on fakes: processes of the node and of namespaces with sockets that pass the programs, and the rules beneath. */
export interface SocketWorld {
  /** From a process on this machine, but for class `outside`; `isHere` puts that on this machine too, in a namespace of its own. */
  send(packet: Packet, node: NodeView, isHere?: boolean): Outcome & { readonly by?: 'programs' }
}

export interface SocketWorldOptions {
  readonly bpf: FakeBpf
  readonly nft: FakeNft
  /** Addresses of this node's pods. */
  readonly pods: readonly string[]
}

/**
 * A socket that the programs rewrite must never see the endpoint's name: its peer, and the sender of its datagrams, must be what it asked for.
 * UDP is tried connected and not, IPv4 from IPv4 and dual-stack sockets.
 */
export const socketWorld = ({ bpf, nft, pods }: SocketWorldOptions): SocketWorld => {
  let turn = 0
  const cookies = new Map(pods.map((address, index) => [address, BigInt(5_000 + index)]))
  for (const [address, cookie] of cookies) bpf.addNamespace({ cookie, addresses: [address] })
  const cookieOf = ({ class: sourceClass, address }: Packet['source']): bigint => {
    if (sourceClass === 'node') return NODE_COOKIE
    const known = cookies.get(address) ?? BigInt(5_000 + cookies.size)
    cookies.set(address, known)
    return known
  }
  return {
    send(packet, node, isHere = false) {
      const { source, destination, protocol } = packet
      if (protocol === 'SCTP' || (source.class === 'outside' && !isHere)) return sendThrough(nft, packet, node)
      turn++
      const family = destination.address.includes(':') || turn % 3 === 0 ? 'IPv6' : 'IPv4'
      const socket = bpf.openSocket({ cookie: cookieOf(source), protocol, family })
      const asked = { address: canonical(destination.address), port: destination.port }
      const reached = protocol === 'UDP' && turn % 2 === 0 ? unconnected(socket, asked) : connected(socket, asked, protocol)
      if (reached.address === asked.address && reached.port === asked.port) return sendThrough(nft, packet, node)
      return { kind: 'reached', endpoint: `${reached.address}:${reached.port}`, source: source.address, by: 'programs' }
    },
  }
}

const connected = (socket: FakeSocket, asked: Peer, protocol: 'TCP' | 'UDP'): Peer => {
  const reached = socket.connect(asked)
  mustBe(socket.peerName(), asked)
  if (protocol === 'UDP') mustBe(socket.receiveFrom(reached), asked)
  return reached
}

const unconnected = (socket: FakeSocket, asked: Peer): Peer => {
  const reached = socket.sendTo(asked)
  mustBe(socket.receiveFrom(reached), asked)
  return reached
}

const mustBe = (seen: Peer, asked: Peer): void => {
  if (seen.address === asked.address && seen.port === asked.port) return
  throw new Error(`the socket asked for ${asked.address} port ${asked.port} and sees ${seen.address} port ${seen.port}`)
}
