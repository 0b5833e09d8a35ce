import type { Clock } from '../../base/index.ts'
import type { HttpResponse } from './exchange.ts'

/** A client that takes nothing for so long is cut off. */
const STALL_MS = 60_000

/**
 * Writes chunks as the client takes them, and ends the response. Only one chunk is held at a time, so that a slow client costs
 * nothing; rejects when the source fails.
 */
export const writeStream = async (response: HttpResponse, chunks: AsyncIterable<Uint8Array>, clock: Clock): Promise<void> => {
  for await (const chunk of chunks) {
    if (response.destroyed) return
    if (!response.write(chunk) && !(await drained(response, clock))) {
      response.destroy()
      return
    }
  }
  response.end()
}

/** True when the client took what was written; false when it has gone or takes too long. */
const drained = (response: HttpResponse, clock: Clock): Promise<boolean> =>
  new Promise((resolve) => {
    const finish = (isDrained: boolean): void => {
      timer.cancel()
      response.off('drain', drain)
      response.off('close', close)
      resolve(isDrained)
    }
    const drain = (): void => finish(true)
    const close = (): void => finish(false)
    const timer = clock.setTimer(close, STALL_MS)
    response.once('drain', drain)
    response.once('close', close)
  })
