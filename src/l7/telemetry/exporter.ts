import type { Pool } from 'undici'
import { exportBody, type Span } from './spans.ts'

const MOST_WAITING = 4_096
const MOST_SENT = 512
const EVERY_MS = 2_000
const TIMEOUT_MS = 10_000

/** Sends spans to a collector, in the background; a collector that is slow or away costs spans, never requests. */
export class SpanExporter {
  exported = 0
  dropped = 0
  readonly #serviceName: string
  readonly #path: string
  readonly #origin: string
  readonly #timer: NodeJS.Timeout
  #waiting: Span[] = []
  #isSending = false
  #pool: Pool | undefined

  constructor(endpoint: string, serviceName: string) {
    const url = new URL(endpoint)
    this.#serviceName = serviceName
    this.#path = url.pathname + url.search
    this.#origin = url.origin
    this.#timer = setInterval(() => void this.#send(), EVERY_MS)
    this.#timer.unref()
  }

  add(span: Span): void {
    if (this.#waiting.length >= MOST_WAITING) this.dropped++
    else this.#waiting.push(span)
    if (this.#waiting.length >= MOST_SENT) void this.#send()
  }

  /** Sends what waits, once. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#send()
    await this.#pool?.destroy()
  }

  async #send(): Promise<void> {
    if (this.#isSending || this.#waiting.length === 0) return
    this.#isSending = true
    const spans = this.#waiting.splice(0, MOST_SENT)
    try {
      const pool = await this.#open()
      const { statusCode, body } = await pool.request({
        path: this.#path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: exportBody(this.#serviceName, spans),
      })
      await body.dump()
      if (statusCode < 300) this.exported += spans.length
      else this.dropped += spans.length
    } catch {
      this.dropped += spans.length
    } finally {
      this.#isSending = false
    }
  }

  /** The library is loaded with the first span: it takes 20 MiB. */
  async #open(): Promise<Pool> {
    const { Pool } = await import('undici')
    this.#pool ??= new Pool(this.#origin, { connections: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS })
    return this.#pool
  }
}
