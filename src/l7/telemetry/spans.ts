import { fieldValue } from '../http1/text.ts'
import type { RequestRecord } from './record.ts'

/** A span in OTLP's JSON form (opentelemetry-proto trace.proto; times in nanoseconds since 1970, as texts). */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: 2
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code: 0 | 2 }
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string } | { readonly intValue: string }
}

/** The server span of a request (OpenTelemetry's semantic conventions for HTTP 1.x); undefined when it is not sampled. */
export const spanOf = (record: RequestRecord, nowMs: number): Span | undefined => {
  const { trace, request, target } = record
  if (trace === undefined || !trace.isSampled) return undefined
  const durationMs = performance.now() - record.startedMs
  const attributes: Attribute[] = [
    text('http.request.method', request.method),
    text('url.scheme', record.isSecure ? 'https' : 'http'),
    text('url.path', request.path),
    text('server.address', request.host),
    text('client.address', record.clientAddress),
    text('network.protocol.version', record.protocol === 'h2' ? '2' : `1.${request.minor}`),
    number('http.response.status_code', record.status),
    number('http.request.body.size', record.requestBytes),
    number('http.response.body.size', record.responseBytes),
    ...optional('user_agent.original', fieldValue(request.fields, 'user-agent')),
    ...optional('fairway.ingress', target?.labels['ingress']),
    ...optional('fairway.service', target?.labels['service']),
    ...optional('fairway.reason', record.reason === '' ? undefined : record.reason),
    ...optional('network.peer.address', record.endpoint?.address),
    ...(record.tries > 1 ? [number('http.request.resend_count', record.tries - 1)] : []),
  ]
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    ...(trace.parentId === '' ? {} : { parentSpanId: trace.parentId }),
    name: request.method,
    kind: 2,
    startTimeUnixNano: nanoseconds(nowMs - durationMs),
    endTimeUnixNano: nanoseconds(nowMs),
    attributes,
    status: { code: record.status >= 500 ? 2 : 0 },
  }
}

/** The body of an OTLP export request. */
export const exportBody = (serviceName: string, spans: readonly Span[]): string =>
  JSON.stringify({
    resourceSpans: [
      { resource: { attributes: [text('service.name', serviceName)] }, scopeSpans: [{ scope: { name: 'fairway' }, spans }] },
    ],
  })

const text = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } })
const number = (key: string, value: number): Attribute => ({ key, value: { intValue: String(value) } })
const optional = (key: string, value: string | undefined): readonly Attribute[] => (value === undefined ? [] : [text(key, value)])
const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1_000)) * 1_000n)
