import type { Socket } from 'node:net'

/** How long one side may stay silent after the other has finished: a kernel's own limit for CLOSE_WAIT is an hour. */
const HALF_CLOSED_MS = 3_600_000

/**
 * Carries bytes both ways between two connected sockets that allow half-open: the end of one direction closes only that direction,
 * a full peer stops the reading of the other (back-pressure), a reset of one resets the other.
 */
export const relay = (client: Socket, upstream: Socket): void => {
  pump(client, upstream)
  pump(upstream, client)
  // Accepted paused, so that nothing was read before an endpoint was there.
  client.resume()
}

const pump = (from: Socket, to: Socket): void => {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause()
  })
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
