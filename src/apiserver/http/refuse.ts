import { STATUS_CODES } from 'node:http'
import { errorCode } from '../../base/index.ts'

/**
 * The answer to what the HTTP/1.1 parser gave up on, as Go's server writes it; undefined when the error is none of HTTP's, so that nobody is there who
 * could read an answer (a TLS handshake that failed, a connection that broke).
 */
export const refusal = (error: unknown): string | undefined => {
  const code = refusalCode(errorCode(error) ?? '')
  if (code === undefined) return undefined
  const text = `${code} ${STATUS_CODES[code]}`
  const headers = ['content-type: text/plain; charset=utf-8', `content-length: ${text.length}`, 'connection: close']
  return `HTTP/1.1 ${text}\r\n${headers.join('\r\n')}\r\n\r\n${text}`
}

const refusalCode = (code: string): number | undefined => {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 431
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return 413
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 408
    default:
      return code.startsWith('HPE_') ? 400 : undefined
  }
}
