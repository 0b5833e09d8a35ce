import type { Http2Stream } from 'node:http2'

const GIVEN_UP = new Error('the message was not complete')

/**
 * Resets a stream. Node's `close` ends what was being sent before it resets, so that half a message looks whole to the peer; only `destroy` does
 * not, and that one chooses the code itself (INTERNAL_ERROR).
 */
export const resetStream = (stream: Http2Stream, code: number): void => {
  if (stream.destroyed) return
  if (stream.writableEnded) stream.close(code)
  else stream.destroy(GIVEN_UP)
}
