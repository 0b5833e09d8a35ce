import { fieldValue } from '../http1/text.ts'
import type { RequestRecord } from './record.ts'

/** One request as a line of JSON. Values are the client's bytes: JSON's escapes keep them inside their strings. */
export const accessLine = (record: RequestRecord, about: { readonly nowMs: number; readonly withQuery: boolean }): string => {
  const { request, target, endpoint, trace } = record
  const query = request.target.slice(request.path.length)
  const line = {
    time: new Date(about.nowMs).toISOString(),
    client: record.clientAddress,
    protocol: record.protocol === 'h2' ? 'HTTP/2.0' : `HTTP/1.${request.minor}`,
    tls: record.isSecure,
    method: request.method,
    host: request.host,
    path: request.path,
    ...(about.withQuery && query !== '' ? { query } : {}),
    status: record.status,
    ...(record.reason === '' ? {} : { reason: record.reason }),
    durationMs: round(performance.now() - record.startedMs),
    ...(record.upstreamMs < 0 ? {} : { upstreamMs: round(record.upstreamMs) }),
    requestBytes: record.requestBytes,
    responseBytes: record.responseBytes,
    requestId: record.requestId,
    ...(trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId }),
    ...(target === undefined
      ? {}
      : { ingress: target.labels['ingress'], service: target.labels['service'], backend: record.backend }),
    ...(endpoint === undefined ? {} : { endpoint: joined(endpoint), tries: record.tries }),
    userAgent: fieldValue(request.fields, 'user-agent'),
    referer: about.withQuery ? fieldValue(request.fields, 'referer') : withoutQuery(fieldValue(request.fields, 'referer')),
  }
  return `${JSON.stringify(line)}\n`
}

const round = (ms: number): number => Math.round(ms * 1_000) / 1_000

const joined = ({ address, port }: { readonly address: string; readonly port: number }): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

const withoutQuery = (url: string | undefined): string | undefined => url?.split('?')[0]
