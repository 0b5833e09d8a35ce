import { familyOf, type IPFamily } from '../../ip/index.ts'
import type { ConnectedSocket, SocketEnd } from './sockets.ts'

/** The families of sockets that may be connected to these: IPv4 addresses are reached from sockets of both. */
export const familiesOf = (remotes: readonly SocketEnd[]): readonly IPFamily[] =>
  remotes.some(({ address }) => familyOf(address) === 'IPv4') ? ['IPv4', 'IPv6'] : ['IPv6']

/** Tells whether a socket is connected to one of these. */
export const isConnectedTo = (remotes: readonly SocketEnd[]): ((socket: ConnectedSocket) => boolean) => {
  const wanted = new Set(remotes.map(keyOf))
  return ({ remote }) => wanted.has(keyOf(remote))
}

const keyOf = ({ address, port }: SocketEnd): string => `${address} ${port}`

/** Sockets of each namespace together. */
export const byNamespace = (sockets: readonly ConnectedSocket[]): ReadonlyMap<string, readonly ConnectedSocket[]> => {
  const groups = new Map<string, ConnectedSocket[]>()
  for (const socket of sockets) {
    const group = groups.get(socket.namespace)
    if (group === undefined) groups.set(socket.namespace, [socket])
    else group.push(socket)
  }
  return groups
}
