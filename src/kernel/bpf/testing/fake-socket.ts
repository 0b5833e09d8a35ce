import { addressFromBytes, addressToBytes, formatAddress, readAddress } from '../../../ip/index.ts'
import type { Hook } from '../objects.ts'
import type { HookCall, SocketAddress } from './sock-addr.ts'

export interface SocketOptions {
  /** Of its network namespace. */
  readonly cookie: bigint
  readonly protocol: 'TCP' | 'UDP'
  /** An IPv6 socket speaks IPv4 too, with mapped addresses. */
  readonly family: 'IPv4' | 'IPv6'
}

export interface Peer {
  readonly address: string
  readonly port: number
}

/** A socket of the fake kernel: each call goes through the programs of its hook and gives what the other side, or the caller, sees. */
export interface FakeSocket {
  /** By which the kernel's lists and programs tell sockets apart. */
  readonly id: bigint
  /** Where the connection goes; EPERM where a program refuses. */
  connect(to: Peer): Peer
  /** Where a datagram of an unconnected socket goes. */
  sendTo(to: Peer): Peer
  /** Who sent a datagram, as recvfrom(2) tells. */
  receiveFrom(from: Peer): Peer
  /** As getpeername(2) tells. */
  peerName(): Peer
  close(): void
}

const PROTOCOLS = { TCP: 6, UDP: 17 } as const

export const fakeSocket = (
  { protocol, family }: SocketOptions,
  { identity, id }: { readonly identity: object; readonly id: bigint },
  call: (hookCall: HookCall) => boolean,
): FakeSocket => {
  let connected: Peer | undefined
  const pass = (name: 'connect' | 'sendmsg' | 'recvmsg' | 'getpeername', version: '4' | '6', peer: Peer): Peer => {
    const hook: Hook = `${name}${version}`
    const subject: SocketAddress = { address: bytesOf(peer.address), port: peer.port }
    if (!call({ hook, subject, protocol: PROTOCOLS[protocol], socket: identity })) throw new Error(`EPERM: ${hook}`)
    return { address: textOf(subject.address), port: subject.port }
  }
  const own = family === 'IPv4' ? '4' : '6'
  return {
    id,
    connect(to) {
      connected = pass('connect', own, to)
      return connected
    },
    // The kernel takes the IPv4 way for a mapped address before it asks the programs.
    sendTo: (to) => pass('sendmsg', to.address.includes(':') ? '6' : '4', to),
    receiveFrom: (from) => pass('recvmsg', own, from),
    peerName() {
      if (connected === undefined) throw new Error('ENOTCONN')
      return pass('getpeername', own, connected)
    },
    close() {
      const subject = { address: bytesOf('::'), port: 0 }
      call({ hook: 'sock_release', subject, protocol: PROTOCOLS[protocol], socket: identity })
    },
  }
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex')

const bytesOf = (text: string): Buffer => {
  const address = readAddress(text)?.address
  if (address === undefined) throw new Error(`no address: ${text}`)
  const bytes = Buffer.from(addressToBytes(address))
  return bytes.length === 16 ? bytes : Buffer.concat([MAPPED, bytes])
}

const textOf = (bytes: Buffer): string => {
  const isMapped = bytes.subarray(0, 12).equals(MAPPED)
  const address = addressFromBytes(isMapped ? bytes.subarray(12) : bytes)
  return address === undefined ? '' : formatAddress(address)
}
