import type { RequestListener } from 'node:http'
import { aborted, type Clock, errorMessage, type Logger, sleep, UserError } from '../../base/index.ts'
import { type Endpoint, type HttpServer, openHttpServer } from '../../proxy/index.ts'

export interface ServerOptions {
  /** For messages: `--healthz-bind-address`. */
  readonly flag: string
  readonly endpoint: Endpoint
  readonly handler: RequestListener
  /** Reject when the address cannot be had, instead of trying again. */
  readonly hardFail: boolean
  readonly clock: Clock
  readonly log: Logger
}

const RETRY_MS = 5_000

/** Serves until `signal` aborts; `stopped` resolves when the port is free again. */
export const serve = async (options: ServerOptions, signal: AbortSignal): Promise<{ readonly stopped: Promise<void> }> => {
  const first = await attempt(options)
  const stopped = (async (): Promise<void> => {
    let server = first
    while (server === undefined && !signal.aborted) {
      await sleep(options.clock, RETRY_MS, signal)
      if (!signal.aborted) server = await attempt(options)
    }
    await aborted(signal)
    await server?.close()
  })()
  return { stopped }
}

const attempt = async ({ flag, endpoint, handler, hardFail, log }: ServerOptions): Promise<HttpServer | undefined> => {
  const where = `${flag} ${endpoint.address}:${endpoint.port}`
  try {
    return await openHttpServer(endpoint, handler)
  } catch (error) {
    if (hardFail) throw new UserError(`${where} cannot be had: ${errorMessage(error)}; choose another address`, { cause: error })
    log.warn('an address cannot be had; it is tried again', { where, error: errorMessage(error), retryMs: RETRY_MS })
    return undefined
  }
}
