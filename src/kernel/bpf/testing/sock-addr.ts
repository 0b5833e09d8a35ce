import type { Hook } from '../objects.ts'
import { isPointer, type Memory, opaque, type Pointer, type Word } from './memory.ts'

/** What a hook of a socket's address is about. */
export interface SocketAddress {
  /** 16 bytes; IPv4 as `::ffff:a.b.c.d`. */
  address: Buffer
  port: number
}

export interface HookCall {
  readonly hook: Hook
  readonly subject: SocketAddress
  /** IPPROTO_TCP and the like. */
  readonly protocol: number
  readonly socket: object
}

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const IPPROTO_TCP = 6
const AF_INET = 2
const AF_INET6 = 10

/** `struct bpf_sock_addr` (linux/bpf.h) of one call: programs read and write `subject` through it, as far as the hook allows. */
export const contextOf = (call: HookCall): Memory => (call.hook === 'sock_release' ? sock(call) : sockAddr(call))

/** `struct bpf_sock`, as far as a program asks. */
const sock = ({ protocol }: HookCall): Memory => ({
  name: 'context of sock_release',
  read(offset, width) {
    if (offset === 12 && width === 4) return BigInt(protocol)
    throw new Error(`bpf: sock_release may not read ${width} bytes of the context at ${offset}`)
  },
  write() {
    throw new Error('bpf: sock_release may not write the context')
  },
})

const sockAddr = (call: HookCall): Memory => {
  const { subject, protocol, hook } = call
  const is4 = hook.endsWith('4')
  return {
    name: `context of ${hook}`,
    read(offset, width) {
      if (offset === 64 && width === 8) return socketPointer(call.socket)
      if (width !== 4) throw new Error(`bpf: ${hook}: ${width} bytes of the context`)
      if (offset === 4 && is4) return BigInt(subject.address.readUInt32LE(12))
      if (offset >= 8 && offset < 24 && !is4) return BigInt(subject.address.readUInt32LE(offset - 8))
      if (offset === 24) return BigInt(swapped(subject.port))
      if (offset === 0) return BigInt(is4 ? AF_INET : AF_INET6)
      if (offset === 32) return BigInt(protocol === IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM)
      if (offset === 36) return BigInt(protocol)
      throw new Error(`bpf: ${hook} may not read the context at ${offset}`)
    },
    write(offset, width, value) {
      const word = numberOf(value)
      if (width !== 4) throw new Error(`bpf: ${hook}: ${width} bytes of the context`)
      if (offset === 4 && is4) subject.address.writeUInt32LE(word, 12)
      else if (offset >= 8 && offset < 24 && !is4) subject.address.writeUInt32LE(word, offset - 8)
      else if (offset === 24) subject.port = swapped(word & 0xffff)
      else throw new Error(`bpf: ${hook} may not write the context at ${offset}`)
    },
  }
}

/** Ports are in the network's byte order there. */
const swapped = (port: number): number => ((port & 0xff) << 8) | (port >> 8)

const numberOf = (value: Word): number => {
  if (isPointer(value)) throw new Error('bpf: an address leaks into the context')
  return Number(BigInt.asUintN(32, value))
}

const sockets = new WeakMap<Memory, object>()

const socketPointer = (socket: object): Pointer => {
  const memory = opaque('socket')
  sockets.set(memory, socket)
  return { memory, offset: 0 }
}

/** The socket that an address of the context leads to. */
export const socketAt = ({ memory }: Pointer): object => {
  const socket = sockets.get(memory)
  if (socket === undefined) throw new Error(`bpf: ${memory.name} is no socket`)
  return socket
}
