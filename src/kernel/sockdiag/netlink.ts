import { type Libc, NETLINK_SOCK_DIAG, type NetlinkSocket, openNetlink } from '../../host/native/index.ts'
import { acknowledgementOf, errorOf, MESSAGE_TYPE, netlinkError, parseMessages } from '../netlink/index.ts'
import { destroyRequest, listRequest, parseSocket } from './messages.ts'
import { probe } from './probe.ts'
import type { ConnectedSocket, SockDiag, SocketEnd } from './sockets.ts'
import { byNamespace, familiesOf, isConnectedTo } from './wanted.ts'

/** {@link SockDiag} by netlink in this process; a netlink socket for each namespace and call, so nothing is held between them. */
export const createNetlinkSockDiag = (libc: Libc): SockDiag => {
  const sockDiag: SockDiag = {
    probe: () => probe(sockDiag),
    async connectedTo(remotes, namespaces) {
      const found: ConnectedSocket[] = []
      if (remotes.length === 0) return found
      for (const namespace of namespaces) {
        await inNamespace(libc, namespace, async (socket) => void found.push(...(await list(socket, remotes, namespace))))
      }
      return found
    },
    async destroy(sockets) {
      let ended = 0
      for (const [namespace, group] of byNamespace(sockets)) {
        await inNamespace(libc, namespace, async (socket) => {
          for (const [sequence, each] of group.entries()) if (await end(socket, each, sequence)) ended++
        })
      }
      return ended
    },
  }
  return sockDiag
}

/** Nothing happens where the namespace is gone: so are its sockets. */
const inNamespace = async (libc: Libc, namespace: string, act: (socket: NetlinkSocket) => Promise<void>): Promise<void> => {
  const socket = openIn(libc, namespace)
  if (socket === undefined) return
  try {
    await act(socket)
  } finally {
    socket.close()
  }
}

const openIn = (libc: Libc, namespace: string): NetlinkSocket | undefined => {
  try {
    return openNetlink(libc, NETLINK_SOCK_DIAG, { namespace })
  } catch (error) {
    const { code } = error as { readonly code?: unknown } // whatever was thrown has a code or not
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

const list = async (
  socket: NetlinkSocket,
  remotes: readonly SocketEnd[],
  namespace: string,
): Promise<readonly ConnectedSocket[]> => {
  const [first] = remotes
  const port = remotes.every((each) => each.port === first?.port) ? first?.port : undefined
  const isWanted = isConnectedTo(remotes)
  const found: ConnectedSocket[] = []
  for (const [sequence, family] of familiesOf(remotes).entries()) {
    await socket.send(listRequest(family, port, sequence))
    for (let isDone = false; !isDone; ) {
      for (const message of parseMessages(await socket.receive())) {
        if (message.sequence !== sequence) continue
        const error = errorOf(message, 'sockets: list')
        if (error !== undefined) throw error
        if (message.type === MESSAGE_TYPE.done) isDone = true
        else {
          const each = parseSocket(message.payload, namespace)
          if (each !== undefined && isWanted(each)) found.push(each)
        }
      }
    }
  }
  return found
}

/** Whether it was still there. */
const end = async (socket: NetlinkSocket, each: ConnectedSocket, sequence: number): Promise<boolean> => {
  await socket.send(destroyRequest(each, sequence))
  for (;;) {
    for (const answer of parseMessages(await socket.receive()).map(acknowledgementOf)) {
      if (answer?.sequence !== sequence) continue
      if (answer.errno === 0) return true
      if (answer.errno === ENOENT) return false
      throw netlinkError('sockets: end', answer)
    }
  }
}

const ENOENT = 2
