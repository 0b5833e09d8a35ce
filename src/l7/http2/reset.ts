import type { Http2Stream } from 'node:http2'

const GIVEN_UP = new Error('the message was not complete')

/**
 * Resets a stream, with INTERNAL_ERROR. Not by Node's `close`: it ends what was being sent before it resets, so that half a message looks whole to
 * the peer, and keeps CANCEL back until something else is written.
 */
export const resetStream = (stream: Http2Stream): void => {
  if (!stream.destroyed) stream.destroy(GIVEN_UP)
}
