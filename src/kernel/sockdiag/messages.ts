import { type Address, addressFromBytes, addressToBytes, formatAddress, type IPFamily, readAddress } from '../../ip/index.ts'
import { FLAG, message } from '../netlink/index.ts'
import type { ConnectedSocket, SocketEnd } from './sockets.ts'

/** linux/sock_diag.h */
const SOCK_DIAG_BY_FAMILY = 20
const SOCK_DESTROY = 21
const IPPROTO_UDP = 17
/** Connected UDP sockets have this state of TCP, others TCP_CLOSE. */
const TCP_ESTABLISHED = 1
const AF = { IPv4: 2, IPv6: 10 } as const
/** `struct inet_diag_req_v2` and `struct inet_diag_msg` of linux/inet_diag.h; both have a `struct inet_diag_sockid`, which begins with the ports. */
const REQUEST = { family: 0, protocol: 1, states: 4, id: 8, length: 56 } as const
const ANSWER = { family: 0, state: 1, id: 4, length: 72 } as const
const ID = { source: 0, destination: 2, from: 4, to: 20, interface: 36, cookie: 40 } as const
const MAPPED_PREFIX = Buffer.from('00000000000000000000ffff', 'hex')

/** Asks for all connected UDP sockets of a family; of one remote port only where one is given. */
export const listRequest = (family: IPFamily, port: number | undefined, sequence: number): Buffer => {
  const payload = request(family)
  payload.writeUInt16BE(port ?? 0, REQUEST.id + ID.destination)
  // Any cookie.
  payload.fill(0xff, REQUEST.id + ID.cookie)
  return message({ type: SOCK_DIAG_BY_FAMILY, flags: FLAG.request | FLAG.dump, sequence, payload })
}

/** Asks to end a socket, which must still be the one that was listed: its cookie is compared. */
export const destroyRequest = (socket: ConnectedSocket, sequence: number): Buffer => {
  const { family, local, remote } = socket
  const payload = request(family)
  payload.writeUInt16BE(local.port, REQUEST.id + ID.source)
  payload.writeUInt16BE(remote.port, REQUEST.id + ID.destination)
  payload.set(bytesOf(local, family), REQUEST.id + ID.from)
  payload.set(bytesOf(remote, family), REQUEST.id + ID.to)
  payload.writeUInt32LE(socket.interface, REQUEST.id + ID.interface)
  payload.writeBigUInt64LE(socket.cookie, REQUEST.id + ID.cookie)
  return message({ type: SOCK_DESTROY, flags: FLAG.request | FLAG.ack, sequence, payload })
}

const request = (family: IPFamily): Buffer => {
  const payload = Buffer.alloc(REQUEST.length)
  payload[REQUEST.family] = AF[family]
  payload[REQUEST.protocol] = IPPROTO_UDP
  payload.writeUInt32LE(1 << TCP_ESTABLISHED, REQUEST.states)
  return payload
}

const bytesOf = ({ address }: SocketEnd, family: IPFamily): Uint8Array => {
  const read = readAddress(address)?.address
  if (read === undefined) throw new Error(`sockets: ${JSON.stringify(address)} is no address; give one in canonical text`)
  const bytes = addressToBytes(read)
  return family === 'IPv6' && bytes.length === 4 ? Buffer.concat([MAPPED_PREFIX, bytes]) : bytes
}

/** A message of a list; undefined for one that is of another state. Fails on one that is cut off. */
export const parseSocket = (payload: Buffer, namespace: string): ConnectedSocket | undefined => {
  if (payload.length < ANSWER.length) throw new Error(`sockets: the kernel's answer of ${payload.length} bytes is cut off`)
  if (payload[ANSWER.state] !== TCP_ESTABLISHED) return undefined
  const family: IPFamily = payload[ANSWER.family] === AF.IPv4 ? 'IPv4' : 'IPv6'
  const id = payload.subarray(ANSWER.id)
  const end = (at: number, port: number): SocketEnd => ({
    address: textOf(id.subarray(at, at + (family === 'IPv4' ? 4 : 16))),
    port: id.readUInt16BE(port),
  })
  return {
    namespace,
    family,
    local: end(ID.from, ID.source),
    remote: end(ID.to, ID.destination),
    interface: id.readUInt32LE(ID.interface),
    cookie: id.readBigUInt64LE(ID.cookie),
  }
}

const textOf = (bytes: Buffer): string => {
  const isMapped = bytes.length === 16 && bytes.subarray(0, MAPPED_PREFIX.length).equals(MAPPED_PREFIX)
  const address: Address | undefined = addressFromBytes(isMapped ? bytes.subarray(MAPPED_PREFIX.length) : bytes)
  if (address === undefined) throw new Error('sockets: the kernel gave an address of unknown length')
  return formatAddress(address)
}
