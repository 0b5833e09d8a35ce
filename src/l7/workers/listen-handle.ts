import net from 'node:net'
import { UserError } from '../../base/index.ts'

export interface ListenAddress {
  readonly address: string
  /** 0 picks a free one. */
  readonly port: number
  /** The command-line flag that chooses the port, for error messages. */
  readonly flag?: string
  /** Connections begin with a PROXY header, version 1 or 2, and come only from `EngineSettings.proxyProtocolPeers`. */
  readonly proxyProtocol?: boolean
}

/** A bound TCP handle: no process accepts from it until a worker listens. */
export interface ListenHandle {
  readonly port: number
  /** What `child.send` passes on. */
  readonly native: unknown
  readonly proxyProtocol: boolean
  close(): void
}

interface NativeHandle {
  getsockname(out: { port?: number }): number
  close(): void
}

/** How Node's cluster module makes the handles that its workers share; it is not in the types. */
interface NetWithHandles {
  _createServerHandle(address: string, port: number, addressType: 4 | 6, fd: number, flags: number): NativeHandle | number
}

/**
 * Binds a port that several processes will accept from. A `net.Server` would do for one process, but it accepts in the
 * parent too. Throws UserError when the port is taken or may not be bound.
 */
export const bindHandle = (at: ListenAddress): ListenHandle => {
  const createHandle = (net as unknown as NetWithHandles)._createServerHandle
  const bound = createHandle(at.address, at.port, net.isIPv6(at.address) ? 6 : 4, -1, 0)
  if (typeof bound === 'number') throw bindError(at, bound === -98 ? 'EADDRINUSE' : bound === -13 ? 'EACCES' : `error ${-bound}`)
  const name: { port?: number } = {}
  bound.getsockname(name)
  // libuv keeps EADDRINUSE back until listen; the socket then has no name.
  if (name.port === undefined || name.port === 0 || (at.port !== 0 && name.port !== at.port)) {
    bound.close()
    throw bindError(at, 'EADDRINUSE')
  }
  return { port: name.port, native: bound, proxyProtocol: at.proxyProtocol ?? false, close: () => bound.close() }
}

export const bindError = (at: ListenAddress, code: string): UserError => {
  const flag = at.flag ?? 'the port option'
  const where = `${at.address} port ${at.port}`
  if (code === 'EADDRINUSE')
    return new UserError(`ingress: ${where} is already in use; stop what listens there or choose another port with ${flag}`)
  if (code === 'EACCES')
    return new UserError(`ingress: ${where} may not be bound by this user; run as root or choose a higher port with ${flag}`)
  return new UserError(`ingress: cannot listen on ${where} (${code}); choose another address or port with ${flag}`)
}
