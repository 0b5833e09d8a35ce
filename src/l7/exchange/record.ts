import type { RequestHead } from '../http1/request-head.ts'
import type { Endpoint, Target } from '../table/index.ts'
import type { RequestRecord } from '../telemetry/record.ts'
import type { Trace } from '../telemetry/trace-context.ts'
import type { Attempts } from './attempts.ts'
import type { ExchangeClient } from './client.ts'
import type { Routing } from './routing.ts'

/** What became of one request; filled in as it goes, read at once when it has ended, then used again. */
export class ExchangeRecord implements RequestRecord {
  requestId = ''
  /** Undefined when requests are not traced. */
  trace: Trace | undefined
  /** Of the answer; 499 when the client went away before one. */
  status = 0
  /** Why the engine answered itself; empty for a pod's answer. */
  reason = ''
  /** Whose endpoints were asked, in the end. */
  backend: string | undefined
  /** On the clock of `performance.now()`. */
  startedMs = 0
  /** From the last try's head to the answer's; -1 when there was none. */
  upstreamMs = -1
  /** Of bodies. */
  requestBytes = 0
  responseBytes = 0
  readonly request: RequestHead
  readonly #client: ExchangeClient
  readonly #routing: Routing
  readonly #attempts: Attempts

  constructor(
    request: RequestHead,
    from: { readonly client: ExchangeClient; readonly routing: Routing; readonly attempts: Attempts },
  ) {
    this.request = request
    this.#client = from.client
    this.#routing = from.routing
    this.#attempts = from.attempts
  }

  begin(requestId: string): void {
    this.requestId = requestId
    this.trace = undefined
    this.status = 0
    this.reason = ''
    this.backend = undefined
    this.startedMs = performance.now()
    this.upstreamMs = -1
    this.requestBytes = 0
    this.responseBytes = 0
  }

  get protocol(): ExchangeClient['protocol'] {
    return this.#client.protocol
  }

  get clientAddress(): string {
    return this.#client.forwarded.clientAddress(this.request)
  }

  get isSecure(): boolean {
    return this.#client.forwarded.isSecure(this.request)
  }

  /** The route's, also when a canary or an error page answered. */
  get target(): Target | undefined {
    return this.#routing.target
  }

  /** Of the last try. */
  get endpoint(): Endpoint | undefined {
    return this.#attempts.pool?.endpoint
  }

  get tries(): number {
    return this.#attempts.count
  }
}
