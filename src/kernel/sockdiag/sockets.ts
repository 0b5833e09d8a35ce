import type { IPFamily } from '../../ip/index.ts'

/** One end of a socket; the address in canonical text, IPv4 also where an IPv6 socket has it mapped. */
export interface SocketEnd {
  readonly address: string
  readonly port: number
}

/** A UDP socket that is connected: it sends to one end only, and no other is asked for again. */
export interface ConnectedSocket {
  /** Path of the network namespace that it is in. */
  readonly namespace: string
  /** Of the socket: one of IPv6 may be connected to an IPv4 address. */
  readonly family: IPFamily
  readonly local: SocketEnd
  readonly remote: SocketEnd
  /** Number of the network interface that it is bound to; 0 for any. */
  readonly interface: number
  /** The kernel's name of the socket, the same that `bpf_get_socket_cookie` gives. */
  readonly cookie: bigint
}

/** This process' own network namespace, as a path. */
export const OWN_NAMESPACE = '/proc/self/ns/net'

/**
 * UDP sockets by sock_diag(7), to end those that are connected to what is gone. A program whose socket is ended gets ECONNABORTED and must connect
 * again; sockets that are not connected are never touched. Failure: `HostError`; EPERM without CAP_NET_ADMIN (and CAP_SYS_ADMIN for other
 * namespaces). A namespace that does not exist any more has no sockets.
 */
export interface SockDiag {
  /** Why sockets cannot be ended here and what to do, or undefined. Tries it with a socket of its own. */
  probe(): Promise<string | undefined>
  /** Sockets connected to one of `remotes`, in each of these namespaces. */
  connectedTo(remotes: readonly SocketEnd[], namespaces: readonly string[]): Promise<readonly ConnectedSocket[]>
  /** Ends these, and gives how many were still there. */
  destroy(sockets: readonly ConnectedSocket[]): Promise<number>
}
