import type { Exec } from '../../host/index.ts'
import type { Libc, NoLibc } from '../../host/native/index.ts'
import { createNetlinkSockDiag } from './netlink.ts'
import type { ConnectedSocket, SockDiag, SocketEnd } from './sockets.ts'
import { createSocketTool } from './tool.ts'

/** The ways there may be. */
export interface OpenSockDiagOptions {
  /** What `loadLibc` gave. */
  readonly libc: Libc | NoLibc
  readonly exec: Exec
}

/** The way that works here. */
export type OpenedSockDiag =
  | { readonly sockDiag: SockDiag; readonly by: 'netlink' | 'tool' }
  /** Why there is none, and what to do. */
  | { readonly missing: string }

/** Netlink in this process, or `ss` where the C library cannot be called. */
export const openSockDiag = async ({ libc, exec }: OpenSockDiagOptions): Promise<OpenedSockDiag> => {
  const by = 'missing' in libc ? 'tool' : 'netlink'
  const sockDiag = 'missing' in libc ? createSocketTool(exec) : createNetlinkSockDiag(libc)
  const missing = await sockDiag.probe()
  return missing === undefined ? { sockDiag, by } : { missing }
}

/** Where sockets are looked for, and which are ended. */
export interface SocketFreerOptions {
  readonly sockDiag: SockDiag
  /** Paths of the namespaces to look in, asked for each time. */
  readonly namespaces: () => Promise<readonly string[]>
  /** Tells sockets that a Service led there from those that asked for the endpoint itself, such as by their cookie; all unless given. */
  readonly isOurs?: (socket: ConnectedSocket) => boolean
}

/** Ends the UDP sockets that are connected to an endpoint: for the ebpf mode, whose sockets are not asked again where they go. Gives how many. */
export const createSocketFreer =
  ({ sockDiag, namespaces, isOurs = () => true }: SocketFreerOptions): ((remote: SocketEnd) => Promise<number>) =>
  async ({ address, port }) => {
    const sockets = await sockDiag.connectedTo([{ address, port }], await namespaces())
    return sockDiag.destroy(sockets.filter(isOurs))
  }
