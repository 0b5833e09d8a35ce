import type { Answer } from '../policy/contract.ts'

const PHRASES: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

export const phraseOf = (status: number): string => PHRASES[status] ?? (status < 400 ? 'OK' : 'Error')

/** Names in the reason field are ours or an identifier from the table; never a client's bytes. */
const REASON = /^[a-z0-9-]{1,64}$/

/** The engine's own answer: the status, and a line that says why. */
export const engineAnswer = (status: number, reason: string): Answer => {
  const word = REASON.test(reason) ? reason : 'unknown'
  return {
    status,
    reason: word,
    fields: status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : '',
    body: `${status} ${phraseOf(status)}: ${word}\n`,
    contentType: 'text/plain; charset=utf-8',
  }
}

/** The field lines of an answer, without framing. */
export const answerFields = (answer: Answer): string =>
  `${answer.contentType === '' ? '' : `Content-Type: ${answer.contentType}\r\n`}X-Fairway-Reason: ${answer.reason}\r\n${answer.fields}`

/** Why a head was refused, as one word. */
export const reasonOf = (status: number): string =>
  ({
    405: 'method-refused',
    408: 'request-timeout',
    413: 'body-too-large',
    414: 'request-line-too-long',
    417: 'unknown-expectation',
    431: 'head-too-large',
    501: 'unknown-transfer-coding',
    505: 'unknown-version',
  })[status] ?? 'malformed-request'
