import { accessLine } from './access-log.ts'
import { SpanExporter } from './exporter.ts'
import { LineWriter } from './line-writer.ts'
import type { RequestObserver, RequestRecord } from './record.ts'
import { RouteMetrics, type RouteStats } from './route-metrics.ts'
import type { TelemetrySettings } from './settings.ts'
import { spanOf } from './spans.ts'

const SERVER_ERROR = 500

/** What one worker tells about its requests: counters always, the access log and spans when asked for. */
export class Telemetry implements RequestObserver {
  readonly #settings: TelemetrySettings
  readonly #metrics = new RouteMetrics()
  readonly #log: LineWriter | undefined
  readonly #spans: SpanExporter | undefined

  /** Throws when the access log cannot be opened. */
  constructor(settings: TelemetrySettings) {
    const { accessLog, tracing } = settings
    this.#settings = settings
    this.#log = accessLog && new LineWriter(accessLog.path)
    this.#spans = tracing?.endpoint === undefined ? undefined : new SpanExporter(tracing.endpoint, tracing.serviceName)
  }

  onExchangeEnd(record: RequestRecord): void {
    this.#metrics.add(record)
    if (this.#log !== undefined && this.#isLogged(record)) {
      const withQuery = this.#settings.accessLog?.withQuery === true
      this.#log.write(accessLine(record, { nowMs: Date.now(), withQuery }))
    }
    if (this.#spans === undefined || record.trace === undefined) return
    const span = spanOf(record, Date.now())
    if (span !== undefined) this.#spans.add(span)
  }

  routes(): readonly RouteStats[] {
    return this.#metrics.snapshot()
  }

  get droppedLogLines(): number {
    return this.#log?.dropped ?? 0
  }

  get droppedSpans(): number {
    return this.#spans?.dropped ?? 0
  }

  /** Writes and sends what waits. */
  async close(): Promise<void> {
    await Promise.all([this.#log?.close(), this.#spans?.close()])
  }

  #isLogged(record: RequestRecord): boolean {
    if (record.target?.policy?.accessLog === false) return false
    const sample = this.#settings.accessLog?.sample ?? 1
    return sample >= 1 || record.status >= SERVER_ERROR || Math.random() < sample
  }
}
