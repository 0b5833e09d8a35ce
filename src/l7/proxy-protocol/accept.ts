import type net from 'node:net'
import { readAhead } from '../read-ahead.ts'
import { MAX_PROXY_HEADER_BYTES, type ProxiedAddresses, type ProxyHeader, readProxyHeader } from './header.ts'

export interface ProxyAcceptOptions {
  readonly timeoutMs: number
  /** Undefined when the proxy speaks for itself. Not called for connections that are refused: they are closed. */
  done(addresses: ProxiedAddresses | undefined): void
}

/** Takes the PROXY header from a connection's start. Without a good one in time the connection is closed. */
export const acceptProxied = (socket: net.Socket, options: ProxyAcceptOptions): void =>
  readAhead<ProxyHeader | 'malformed'>(socket, {
    timeoutMs: options.timeoutMs,
    maxBytes: MAX_PROXY_HEADER_BYTES,
    judge: (bytes) => {
      const value = readProxyHeader(bytes)
      if (value === 'incomplete') return undefined
      return { use: value === 'malformed' ? 0 : value.length, value }
    },
    done: (header) => {
      if (header === undefined || header === 'malformed') socket.destroy()
      else options.done(header.addresses)
    },
  })
