import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'

/** An HTTP server that can end without a client seeing an error. */
export interface GracefulServer {
  readonly server: Server
  /** From now on every answer says `Connection: close`, so that clients leave by themselves; everything is still accepted. */
  leave(): void
  /**
   * Leaves, and takes no more connections: requests in flight are answered, connections that had none yet get their first one answered, idle ones are closed
   * by FIN. The server emits `close` when the last connection has gone.
   */
  end(): void
}

/** What a client gets to close its side, or to send its first request. */
const LIMIT_MS = 1000

/**
 * Ends as RFC 9112 9.6 has it: a connection is closed on our side only and read until the client closes too, since a close with input unread becomes a reset.
 * A request that crosses the FIN of an idle connection is dropped unanswered: its client must be ready for that (9.3.1), and sees a clean end.
 */
export const createGracefulServer = (handler: RequestListener, limitMs = LIMIT_MS): GracefulServer => {
  const connections = new Map<Socket, Connection>()
  let phase: 'serving' | 'leaving' | 'ending' = 'serving'
  let accepted = 0
  const server = createServer((request, response) => {
    const connection = connections.get(request.socket)
    if (connection === undefined || connection.isClosing) {
      request.resume()
      return
    }
    connection.isFresh = false
    connection.answers.add(response)
    response.once('close', () => {
      connection.answers.delete(response)
      if (phase === 'ending' && connection.answers.size === 0) halfClose(request.socket, connection)
    })
    if (phase !== 'serving') response.shouldKeepAlive = false
    handler(request, response)
  })
  const halfClose = (socket: Socket, connection: Connection): void => {
    if (connection.isClosing) return
    connection.isClosing = true
    socket.end()
    setTimeout(() => socket.destroy(), limitMs).unref()
  }
  server.on('connection', (socket: Socket) => {
    accepted++
    const connection: Connection = { answers: new Set(), isFresh: true, isClosing: false }
    connections.set(socket, connection)
    socket.once('close', () => connections.delete(socket))
    // So Node's server closes after an answer that says it will.
    socket.destroySoon = () => halfClose(socket, connection)
  })
  const leave = (): void => {
    if (phase === 'serving') phase = 'leaving'
    for (const { answers } of connections.values()) for (const answer of answers) answer.shouldKeepAlive = false
  }
  const close = (): void => {
    phase = 'ending'
    // An HTTP server's own close would destroy idle connections.
    NetServer.prototype.close.call(server)
    for (const [socket, connection] of connections) {
      if (connection.isFresh) setTimeout(() => connection.isFresh && socket.destroy(), limitMs).unref()
      else if (connection.answers.size === 0) halfClose(socket, connection)
    }
  }
  /** The kernel resets what it holds ready to be accepted when the socket closes: that comes first. */
  const closeWhenQuiet = (before: number): void => {
    if (accepted === before) close()
    else setImmediate(closeWhenQuiet, accepted)
  }
  const end = (): void => {
    leave()
    setImmediate(closeWhenQuiet, -1)
  }
  return { server, leave, end }
}

interface Connection {
  /** Requests in flight. */
  readonly answers: Set<ServerResponse>
  /** Had no request yet. */
  isFresh: boolean
  /** Our side is closed. */
  isClosing: boolean
}
