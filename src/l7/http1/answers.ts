const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

/** Names in the reason header are ours or an identifier from the table; never a client's bytes. */
const REASON = /^[a-z0-9-]{1,64}$/

/** The engine's own answer: the status, a line that says why, and the same word in `X-Fairway-Reason`. */
export const ownAnswer = (answer: {
  readonly status: number
  readonly reason: string
  readonly keepAlive: boolean
  readonly isHead: boolean
}): string => {
  const phrase = PHRASES[answer.status] ?? 'Error'
  const reason = REASON.test(answer.reason) ? answer.reason : 'unknown'
  const body = `${answer.status} ${phrase}: ${reason}\n`
  const connection = answer.keepAlive ? '' : 'Connection: close\r\n'
  const allow = answer.status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : ''
  return (
    `HTTP/1.1 ${answer.status} ${phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Content-Length: ${body.length}\r\nX-Fairway-Reason: ${reason}\r\n${allow}${connection}\r\n${answer.isHead ? '' : body}`
  )
}

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
