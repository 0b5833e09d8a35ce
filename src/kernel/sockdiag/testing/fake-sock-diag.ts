import { familyOf, type IPFamily } from '../../../ip/index.ts'
import type { ConnectedSocket, SockDiag, SocketEnd } from '../sockets.ts'
import { isConnectedTo } from '../wanted.ts'

export interface FakeSockDiag extends SockDiag {
  /** Opens a socket in a namespace; without a remote it is not connected. */
  open(socket: {
    readonly namespace: string
    readonly local: SocketEnd
    readonly remote?: SocketEnd
    readonly family?: IPFamily
  }): FakeSocket
}

export interface FakeSocket {
  readonly cookie: bigint
  /** Where a datagram goes that names no destination; an ended socket has none. */
  send(): SocketEnd | 'EDESTADDRREQ'
  close(): void
}

/** Sockets without a kernel: a socket that was ended knows no destination any more. */
export const fakeSockDiag = (): FakeSockDiag => {
  const connected = new Map<bigint, ConnectedSocket>()
  let last = 0n
  return {
    probe: async () => undefined,
    async connectedTo(remotes, namespaces) {
      const isWanted = isConnectedTo(remotes)
      return [...connected.values()].filter((socket) => namespaces.includes(socket.namespace) && isWanted(socket))
    },
    destroy: async (sockets) =>
      sockets.filter(({ cookie, namespace }) => connected.get(cookie)?.namespace === namespace && connected.delete(cookie))
        .length,
    open({ namespace, local, remote, family = familyOf(local.address) ?? 'IPv4' }) {
      const cookie = ++last
      if (remote !== undefined) connected.set(cookie, { namespace, family, local, remote, interface: 0, cookie })
      return { cookie, send: () => connected.get(cookie)?.remote ?? 'EDESTADDRREQ', close: () => void connected.delete(cookie) }
    },
  }
}
