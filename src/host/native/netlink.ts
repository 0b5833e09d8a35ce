import { closeSync, openSync } from 'node:fs'
import { errorCode, errorMessage } from '../../base/index.ts'
import { HostError } from '../errors.ts'
import type { Libc } from './libc.ts'

/** One netlink(7) socket. Messages are bytes: `src/kernel/netlink` knows their shape. One caller at a time. */
export interface NetlinkSocket {
  /** The address that the kernel gave it: what it notifies of says who asked for it. */
  readonly portId: number
  /** Sends all of it as one datagram; the kernel works on it before this resolves. */
  send(bytes: Uint8Array): Promise<void>
  /** As `send` on this thread: for small requests, which take microseconds. */
  sendNow(bytes: Uint8Array): void
  /** The next datagram, which may hold several messages. Rejects with code `EAGAIN` when none comes within the time limit, `ENOBUFS` when the kernel had to drop some. */
  receive(): Promise<Buffer>
  /** The next datagram that is there already, or undefined. */
  receiveNow(): Buffer | undefined
  /** Joins a multicast group, by its number. */
  join(group: number): void
  leave(group: number): void
  close(): void
}

export interface NetlinkOptions {
  /** Path of another network namespace, such as `/run/netns/node-1`; needs CAP_SYS_ADMIN. */
  readonly namespace?: string
  /** Multicast groups (a bit mask, as in `sockaddr_nl`). */
  readonly groups?: number
  /** How long `receive` waits; 10 s unless told. */
  readonly timeoutMs?: number
}

export const NETLINK_SOCK_DIAG = 4
export const NETLINK_NETFILTER = 12

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const MSG_DONTWAIT = 0x40
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const NETLINK_DROP_MEMBERSHIP = 2
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const CLONE_NEWNET = 0x4000_0000
/** 50,000 Services × 5 endpoints are some 40 MB, sent in parts. */
const SEND_BUFFER = 64 * 1024 * 1024
const RECEIVE_BUFFER = 16 * 1024 * 1024
/** Dumps come in datagrams of up to 32 KiB, a failed batch with an error for each message in it in more of them. */
const DATAGRAM = 256 * 1024

type Calls = ReturnType<typeof callsOf>

/** Opens a netlink socket; throws `HostError` when the kernel has no such protocol or refuses. */
export const openNetlink = (libc: Libc, protocol: number, options: NetlinkOptions = {}): NetlinkSocket => {
  const calls = callsOf(libc)
  const fd = inNamespace(calls, options.namespace, () => calls.socket.call(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol))
  try {
    prepare(calls, fd, options)
  } catch (error) {
    calls.close.call(fd)
    throw error
  }
  const into = Buffer.allocUnsafeSlow(DATAGRAM)
  return {
    portId: portIdOf(calls, fd),
    async send(bytes) {
      await calls.send.callAsync(fd, bytes, bytes.length, 0)
    },
    sendNow(bytes) {
      calls.send.call(fd, bytes, bytes.length, 0)
    },
    async receive() {
      const length = await calls.recv.callAsync(fd, into, into.length, 0)
      return Buffer.from(into.subarray(0, length))
    },
    receiveNow() {
      try {
        const length = calls.recv.call(fd, into, into.length, MSG_DONTWAIT)
        return Buffer.from(into.subarray(0, length))
      } catch (error) {
        if ((error as { code?: string }).code === 'EAGAIN') return undefined
        throw error
      }
    },
    join: (group) => setOption(calls, fd, [SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group]),
    leave: (group) => setOption(calls, fd, [SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group]),
    close: () => void calls.close.call(fd),
  }
}

let known: ReturnType<typeof declare> | undefined

/** koffi keeps every declaration for ever, so each is made once. */
const callsOf = (libc: Libc) => {
  known ??= declare(libc)
  return known
}

const declare = (libc: Libc) => ({
  socket: libc.declare('int socket(int family, int type, int protocol)'),
  bind: libc.declare('int bind(int fd, void *address, uint32_t length)'),
  setsockopt: libc.declare('int setsockopt(int fd, int level, int name, void *value, uint32_t length)'),
  send: libc.declare('intptr_t send(int fd, void *bytes, size_t length, int flags)'),
  recv: libc.declare('intptr_t recv(int fd, void *bytes, size_t length, int flags)'),
  getsockname: libc.declare('int getsockname(int fd, void *address, void *length)'),
  setns: libc.declare('int setns(int fd, int type)'),
  close: libc.declare('int close(int fd)'),
})

const portIdOf = (calls: Calls, fd: number): number => {
  const address = Buffer.alloc(12)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(address.length)
  calls.getsockname.call(fd, address, length)
  return address.readUInt32LE(4)
}

/** A socket stays in the namespace in which it was made, so this thread visits it for that one call. */
const inNamespace = (calls: Calls, namespace: string | undefined, make: () => number): number => {
  if (namespace === undefined) return make()
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const other = openNamespace(namespace)
    try {
      calls.setns.call(other, CLONE_NEWNET)
    } finally {
      closeSync(other)
    }
    try {
      return make()
    } finally {
      calls.setns.call(own, CLONE_NEWNET)
    }
  } finally {
    closeSync(own)
  }
}

const openNamespace = (path: string): number => {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const message = `network namespace ${path} cannot be opened: ${errorMessage(error)}`
    throw new HostError(message, { code: errorCode(error) ?? 'EUNKNOWN', command: ['setns', path] }, { cause: error })
  }
}

const prepare = (calls: Calls, fd: number, { groups = 0, timeoutMs = 10_000 }: NetlinkOptions): void => {
  const address = Buffer.alloc(12)
  address.writeUInt16LE(AF_NETLINK, 0)
  address.writeUInt32LE(groups, 8)
  calls.bind.call(fd, address, address.length)
  const time = Buffer.alloc(16)
  time.writeBigInt64LE(BigInt(Math.floor(timeoutMs / 1_000)), 0)
  time.writeBigInt64LE(BigInt((timeoutMs % 1_000) * 1_000), 8)
  calls.setsockopt.call(fd, SOL_SOCKET, SO_RCVTIMEO, time, time.length)
  for (const option of [
    [SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER],
    [SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER],
    // Errors come with the kernel's own words and the place of the attribute, and without the whole request.
    [SOL_NETLINK, NETLINK_EXT_ACK, 1],
    [SOL_NETLINK, NETLINK_CAP_ACK, 1],
  ] as const) {
    setOption(calls, fd, option)
  }
}

const setOption = (calls: Calls, fd: number, [level, option, number]: readonly [number, number, number]): void => {
  const value = Buffer.alloc(4)
  value.writeUInt32LE(number)
  calls.setsockopt.call(fd, level, option, value, value.length)
}
