import type { OnReadOpts, Socket } from 'node:net'

/** How long one side may stay silent after the other has finished: a kernel's own limit for CLOSE_WAIT is an hour. */
const HALF_CLOSED_MS = 3_600_000

/**
 * Carries bytes both ways between two connected sockets that allow half-open: the end of one direction closes only that direction,
 * a full peer stops the reading of the other (back-pressure), a reset of one resets the other.
 * The upstream socket was made with {@link answersTo} of the client, which is its reading half.
 */
export const relay = (client: Socket, upstream: Socket): void => {
  client.on('data', (chunk: Buffer) => {
    if (!upstream.write(chunk)) client.pause()
  })
  join(client, upstream)
  join(upstream, client)
  // Accepted paused, so that nothing was read before an endpoint was there.
  client.resume()
}

const join = (from: Socket, to: Socket): void => {
  to.on('drain', () => from.resume())
  from.on('end', () => {
    to.end()
    to.setTimeout(HALF_CLOSED_MS, () => to.destroy())
  })
  from.on('close', (failed: boolean) => {
    if (to.destroyed) return
    // After a clean end in both directions the other side still flushes; anything else must not look like a clean end.
    if (failed || !from.readableEnded) to.resetAndDestroy()
  })
}

const SMALL = 16 * 1024
const LARGE = 256 * 1024

/** Memory for large buffers of all connections together: beyond it connections do with small ones. */
const LARGE_BUDGET = 64 * 1024 * 1024
let largeInUse = 0

/**
 * Reads answers into one buffer for each connection instead of a new one for each read, and into a larger one while the endpoint
 * fills it: a stream needs half the CPU of Node's 64 KiB chunks (bench/proxy-tcp). A buffer that the kernel has not taken yet is left to it.
 */
export const answersTo = (client: Socket): OnReadOpts => {
  let buffer = Buffer.allocUnsafeSlow(SMALL)
  let read = 0
  const size = (): number => {
    if (client.destroyed) return SMALL
    if (read === buffer.length) return buffer.length === LARGE || largeInUse + LARGE <= LARGE_BUDGET ? LARGE : SMALL
    return read <= SMALL ? SMALL : buffer.length
  }
  const replace = (length: number): void => {
    largeInUse += large(length) - large(buffer.length)
    buffer = Buffer.allocUnsafeSlow(length)
  }
  client.once('close', () => {
    largeInUse -= large(buffer.length)
    buffer = EMPTY
  })
  return {
    buffer: () => {
      const length = size()
      if (buffer.length > 0 && (length !== buffer.length || client.writableLength > 0)) replace(length)
      return buffer
    },
    callback: (count) => {
      read = count
      return client.write(count === buffer.length ? buffer : buffer.subarray(0, count))
    },
  }
}

const EMPTY = Buffer.alloc(0)

const large = (length: number): number => (length === LARGE ? LARGE : 0)
