import http2, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'

export interface Heard {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly interim: readonly number[]
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders
  readonly code: number
}

/** An HTTP/2 client of this process that trusts any certificate. */
export const connectHttp2 = async (
  port: number,
  options: http2.SecureClientSessionOptions = {},
): Promise<http2.ClientHttp2Session> => {
  const session = http2.connect(`https://a.test:${port}`, {
    host: '127.0.0.1',
    servername: 'a.test',
    rejectUnauthorized: false,
    ...options,
  })
  await new Promise<void>((resolve, reject) => session.once('connect', () => resolve()).once('error', reject))
  session.on('error', () => {})
  return session
}

/** One request and everything that comes of it; rejects never: `code` says how the stream ended. */
export const ask = (
  session: http2.ClientHttp2Session,
  fields: OutgoingHttpHeaders = {},
  body?: string | Buffer,
): Promise<Heard> => {
  const stream = session.request({ ':path': '/', ':authority': 'a.test', ...fields }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  return heard(stream)
}

export const heard = (stream: http2.ClientHttp2Stream): Promise<Heard> =>
  new Promise((resolve) => {
    const pieces: Buffer[] = []
    const interim: number[] = []
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('headers', (fields) => interim.push(Number(fields[':status'])))
    stream.on('response', (fields) => {
      head = fields
    })
    stream.on('trailers', (fields) => {
      trailers = fields
    })
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', () => {})
    stream.on('close', () =>
      resolve({
        status: Number(head[':status'] ?? 0),
        fields: head,
        interim,
        body: Buffer.concat(pieces),
        trailers,
        code: stream.rstCode,
      }),
    )
  })
