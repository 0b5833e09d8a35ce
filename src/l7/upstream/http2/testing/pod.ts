import http2 from 'node:http2'
import type net from 'node:net'
import type { Certificate } from '../../../table/index.ts'

export interface Http2Pod {
  readonly port: number
  readonly sessions: readonly http2.ServerHttp2Session[]
  /** Of all requests, in order. */
  readonly requests: readonly http2.IncomingHttpHeaders[]
  /** No new connections or streams; streams in progress finish. */
  drain(): void
  close(): void
}

export type OnStream = (stream: http2.ServerHttp2Stream, fields: http2.IncomingHttpHeaders) => void

export const answerOk: OnStream = (stream) => {
  stream.respond({ ':status': 200, 'content-length': 2 })
  stream.end('ok')
}

/** A pod that speaks HTTP/2 in the clear, or with `tls` by ALPN. */
export const http2Pod = async (
  onStream: OnStream,
  options: { readonly settings?: http2.Settings; readonly tls?: Certificate & { readonly ca?: string } } = {},
): Promise<Http2Pod> => {
  const { settings = {}, tls } = options
  const secure = tls && {
    cert: tls.chain,
    key: tls.key,
    ...(tls.ca === undefined ? {} : { ca: tls.ca, requestCert: true, rejectUnauthorized: true }),
  }
  const server = secure === undefined ? http2.createServer({ settings }) : http2.createSecureServer({ settings, ...secure })
  const sessions: http2.ServerHttp2Session[] = []
  const requests: http2.IncomingHttpHeaders[] = []
  server.on('session', (session: http2.ServerHttp2Session) => sessions.push(session))
  server.on('sessionError', () => {})
  server.on('stream', (stream: http2.ServerHttp2Stream, fields: http2.IncomingHttpHeaders) => {
    stream.on('error', () => {})
    requests.push(fields)
    onStream(stream, fields)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    sessions,
    requests,
    drain: () => {
      server.close()
      for (const session of sessions) session.close()
    },
    close: () => {
      server.close()
      for (const session of sessions) session.destroy()
    },
  }
}
