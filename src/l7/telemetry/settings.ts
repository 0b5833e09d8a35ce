/** What the engine tells about its requests. */
export interface TelemetrySettings {
  readonly accessLog?: AccessLogSettings
  readonly tracing?: TracingSettings
}

interface AccessLogSettings {
  /** Lines of JSON are appended here; `-` is the standard output. */
  readonly path: string
  /** Share of requests that are written, 0 to 1; answers of 500 and above always are. */
  readonly sample: number
  /** Queries hold secrets more often than not; left out unless asked for. */
  readonly withQuery: boolean
}

interface TracingSettings {
  /** Share of requests that begin a trace of their own; a trace that the client began keeps its decision. */
  readonly sample: number
  readonly serviceName: string
  /** OTLP over HTTP with JSON, such as `http://127.0.0.1:4318/v1/traces`; without it `traceparent` is made and nothing is sent. */
  readonly endpoint?: string
}
