/** A request as a pod gets it, whatever protocol it speaks; one object serves all requests of a connection. */
export class PodRequest {
  method = ''
  /** Path and query. */
  target = ''
  authority = ''
  /** End-to-end field lines, each with its CRLF; without Host and framing. */
  fields = ''
  /** -1: none. */
  contentLength = -1
  chunked = false
  upgrade = false
  acceptsTrailers = false
  scheme: 'http' | 'https' = 'http'
  timeouts: PodTimeouts | undefined
}

/** Times that a route sets for itself, in milliseconds; 0 for no limit. */
export interface PodTimeouts {
  readonly connectMs?: number
  readonly sendMs?: number
  readonly readMs?: number
}

/** The head as HTTP/1.1 has it. */
export const podRequestText = (request: PodRequest): string => {
  let text = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.authority}\r\n${request.fields}`
  if (request.chunked) text += 'Transfer-Encoding: chunked\r\n'
  else if (request.contentLength !== -1) text += `Content-Length: ${request.contentLength}\r\n`
  if (request.upgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  else if (request.acceptsTrailers) text += 'TE: trailers\r\nConnection: TE\r\n'
  return `${text}\r\n`
}
