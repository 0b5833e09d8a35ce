import type { Socket } from 'node:net'
import type { Clock } from '../../base/index.ts'

export interface LingerLimits {
  /** What is read and thrown away, at most. */
  readonly bytes: number
  readonly timeMs: number
}

/** More than both ends' socket buffers hold, and than a client sends in the time that an answer takes to reach it. */
const LINGER_LIMITS: LingerLimits = { bytes: 16 * 1024 * 1024, timeMs: 5000 }

/**
 * Ends a connection in stages (RFC 9112 9.6): our side closes after what was written, then what the client still sends is read and thrown away until
 * it closes too. The kernel answers a close with input unread by a reset, which takes an answer that the client has not read yet along
 * (RFC 1122 4.2.2.13). Who goes on sending past the limits is cut off.
 */
export const closeLingering = (socket: Socket, clock: Clock, limits: LingerLimits = LINGER_LIMITS): void => {
  if (socket.destroyed || lingering.has(socket)) return
  lingering.add(socket)
  let left = limits.bytes
  socket.once('resume', () => {
    // The HTTP parser is done with this connection.
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) socket.destroy()
    })
  })
  const timer = clock.setTimer(() => socket.destroy(), limits.timeMs)
  socket.once('close', () => timer.cancel())
  socket.end()
  // Node's HTTP server has stopped reading where a body was not wanted; it starts again at this event only, while the parser still listens.
  socket.pause()
  socket.resume()
}

/** Whether a connection is being closed so: nothing more can be answered on it. */
export const isLingering = (socket: Socket): boolean => lingering.has(socket)

const lingering = new WeakSet<Socket>()
