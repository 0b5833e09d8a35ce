import type { Libc } from './libc.ts'

/** A raw packet(7) socket that sends whole Ethernet frames and receives none. Needs CAP_NET_RAW. */
export interface PacketSocket {
  /** Sends a frame out of the device of this index. */
  send(interfaceIndex: number, frame: Uint8Array): void
  close(): void
}

const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const ETHER_TYPE_AT = 12
const MAC_BYTES = 6

/** Opens one in this thread's network namespace; throws `HostError` when the kernel refuses. */
export const openPacketSocket = (libc: Libc): PacketSocket => {
  const calls = callsOf(libc)
  // Protocol 0: nothing is received.
  const fd = calls.socket.call(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
  return {
    send(interfaceIndex, frame) {
      const address = linkAddress(interfaceIndex, frame)
      calls.sendto.call(fd, frame, frame.length, 0, address, address.length)
    },
    close: () => void calls.close.call(fd),
  }
}

/** `struct sockaddr_ll` with the frame's own destination and type. */
const linkAddress = (interfaceIndex: number, frame: Uint8Array): Buffer => {
  const address = Buffer.alloc(20)
  address.writeUInt16LE(AF_PACKET, 0)
  address.set(frame.subarray(ETHER_TYPE_AT, ETHER_TYPE_AT + 2), 2)
  address.writeInt32LE(interfaceIndex, 4)
  address.writeUInt8(MAC_BYTES, 11)
  address.set(frame.subarray(0, MAC_BYTES), 12)
  return address
}

let known: ReturnType<typeof declare> | undefined

/** koffi keeps every declaration for ever, so each is made once. */
const callsOf = (libc: Libc) => {
  known ??= declare(libc)
  return known
}

const declare = (libc: Libc) => ({
  socket: libc.declare('int socket(int family, int type, int protocol)'),
  sendto: libc.declare('intptr_t sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t addressLength)'),
  close: libc.declare('int close(int fd)'),
})
