import { badRequest } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'
import { tooLarge } from '../rest/index.ts'
import type { HttpRequest } from './exchange.ts'

interface BodyLimits {
  readonly bytes: number
  /** From the headers to the last byte. */
  readonly timeoutMs: number
}

/** As Kubernetes: 3 MiB of a request are read. */
const BODY_LIMITS: BodyLimits = { bytes: 3 * 1024 * 1024, timeoutMs: 30_000 }

/** The whole body. Rejects with 413 as soon as it is too long, with `BadRequest` when it does not arrive in time or breaks off. */
export const readBody = (request: HttpRequest, clock: Clock, limits: BodyLimits = BODY_LIMITS): Promise<Buffer> => {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limits.bytes) return Promise.reject(tooLarge(limits.bytes))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (settle: () => void): void => {
      timer.cancel()
      request.removeAllListeners('data')
      settle()
    }
    const timer = clock.setTimer(
      () => finish(() => reject(badRequest('the request body did not arrive in time'))),
      limits.timeoutMs,
    )
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.bytes) finish(() => reject(tooLarge(limits.bytes)))
      else chunks.push(chunk)
    })
    request.once('end', () => finish(() => resolve(Buffer.concat(chunks))))
    request.once('error', (error: Error) => finish(() => reject(badRequest(`the request body broke off: ${error.message}`))))
    request.once('aborted', () => finish(() => reject(badRequest('the request body broke off'))))
  })
}
