import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { aborted, errorCode, errorMessage, type Logger, type Running, UserError } from '../base/index.ts'
import type { Resolve } from './chain.ts'
import { encodeRefusal, encodeResponse, parseQuery } from './message.ts'

export interface DnsServerOptions {
  readonly address: string
  /** 0 picks a free port, the same one for UDP and TCP. */
  readonly port: number
  readonly resolve: Resolve
  readonly log: Logger
}

export interface ListeningDnsServer extends Running {
  readonly address: string
  readonly port: number
}

const MAX_TCP_CONNECTIONS = 256
const TCP_IDLE_MS = 10_000
const MAX_MESSAGE = 65_535

/** Serves UDP and TCP on one address; rejects with `UserError` when the port is taken. */
export const listenDns = async (options: DnsServerOptions, signal: AbortSignal): Promise<ListeningDnsServer> => {
  const tcp = createServer((socket) => serveTcp(socket, options))
  tcp.maxConnections = MAX_TCP_CONNECTIONS
  const sockets = new Set<Socket>()
  tcp.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const port = await bindTcp(tcp, options)
  const udp = await bindUdp({ ...options, port }).catch(async (error: unknown) => {
    tcp.close()
    throw error
  })
  const stopped = aborted(signal).then(async () => {
    for (const socket of sockets) socket.destroy()
    const closed = [once(tcp, 'close'), once(udp, 'close')]
    tcp.close()
    udp.close()
    await Promise.all(closed)
  })
  return { address: options.address, port, stopped }
}

const bindTcp = async (server: Server, { address, port }: DnsServerOptions): Promise<number> => {
  server.listen({ host: address, port })
  await once(server, 'listening').catch((error: unknown) => {
    throw bindFailure(error, address, port)
  })
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : port
}

const bindUdp = async (options: DnsServerOptions): Promise<UdpSocket> => {
  const socket = createSocket({ type: options.address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 })
  socket.bind(options.port, options.address)
  await once(socket, 'listening').catch((error: unknown) => {
    throw bindFailure(error, options.address, options.port)
  })
  socket.on('message', (bytes, from) => void serveUdp({ socket, bytes, from }, options))
  socket.on('error', (error) => options.log.warn('dns socket error', { error: errorMessage(error) }))
  return socket
}

const bindFailure = (error: unknown, address: string, port: number): unknown =>
  errorCode(error) === 'EADDRINUSE'
    ? new UserError(`dns: port ${port} on ${address} is in use by another process; stop it or choose another port`, {
        cause: error,
      })
    : error

interface Datagram {
  readonly socket: UdpSocket
  readonly bytes: Buffer
  readonly from: RemoteInfo
}

const serveUdp = async ({ socket, bytes, from }: Datagram, options: DnsServerOptions): Promise<void> => {
  const reply = await respond(bytes, 'udp', options)
  if (!reply) return
  try {
    socket.send(reply, from.port, from.address, () => {})
  } catch {
    // The socket was closed while the answer was looked up.
  }
}

/** Messages with a two-byte length, several on one connection, answered in turn (RFC 7766). */
const serveTcp = (socket: Socket, options: DnsServerOptions): void => {
  let pending = Buffer.alloc(0)
  let busy = false
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  const drain = async (): Promise<void> => {
    if (busy) return
    busy = true
    for (let length = nextLength(pending); length !== undefined; length = nextLength(pending)) {
      const reply = await respond(pending.subarray(2, 2 + length), 'tcp', options)
      pending = pending.subarray(2 + length)
      if (!reply || socket.destroyed) return void socket.destroy()
      const prefix = Buffer.alloc(2)
      prefix.writeUInt16BE(reply.length)
      socket.write(Buffer.concat([prefix, reply]))
    }
    busy = false
  }
  socket.on('data', (chunk) => {
    if (pending.length + chunk.length > MAX_MESSAGE * 2) return void socket.destroy()
    pending = Buffer.concat([pending, chunk])
    void drain()
  })
}

const nextLength = (pending: Buffer): number | undefined => {
  if (pending.length < 2) return undefined
  const length = pending.readUInt16BE(0)
  return pending.length >= 2 + length ? length : undefined
}

/** The reply to a message from outside; undefined for none. Never rejects. */
const respond = async (
  bytes: Buffer,
  transport: 'udp' | 'tcp',
  { resolve, log }: DnsServerOptions,
): Promise<Buffer | undefined> => {
  const query = parseQuery(bytes)
  if (query.kind === 'ignore') return undefined
  if (query.kind === 'malformed') return encodeRefusal(query.id, query.rcode)
  try {
    const response = await resolve({ name: query.name.toLowerCase().replace(/\.$/, ''), type: query.type })
    return encodeResponse(query, response, transport === 'udp' ? query.payloadSize : MAX_MESSAGE)
  } catch (error) {
    log.error('dns answer failed', { type: query.type, error: errorMessage(error) })
    return encodeRefusal(query.id, 'SERVFAIL')
  }
}
