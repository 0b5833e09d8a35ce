import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpServer {
  /** The one that the kernel chose when 0 was asked for. */
  readonly port: number
  /** Ends its connections too. */
  close(): Promise<void>
}

/** A small HTTP server on one address; rejects with the error of `listen` when the address cannot be had. */
export const openHttpServer = async (
  listen: { readonly address: string; readonly port: number },
  handler: RequestListener,
): Promise<HttpServer> => {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 1_000 }, handler)
  await listening(server, listen)
  return { port: boundPort(server), close: () => closed(server) }
}

const listening = (server: Server, { address, port }: { readonly address: string; readonly port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject)
      server.on('error', () => {})
      resolve()
    })
  })

// A server that listens on a port has one.
const boundPort = (server: Server): number => (server.address() as AddressInfo).port

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

export type Route = (url: URL, response: ServerResponse) => void | Promise<void>

/** Answers GET and HEAD of known paths; 404 and 405 for all else, 500 where a route fails. */
export const route =
  (routes: Readonly<Record<string, Route>>): RequestListener =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const url = urlOf(request)
    const found = url !== undefined && Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (url === undefined || found === undefined) send(response, { code: 404, body: 'no such path\n' })
    else if (!isRead) send(response, { code: 405, body: 'only GET\n' })
    else {
      Promise.resolve()
        .then(() => found(url, response))
        .catch(() => send(response, { code: 500, body: 'internal error\n' }))
    }
  }

/** What a client writes into its request line need not be a path. */
const urlOf = ({ url = '/' }: IncomingMessage): URL | undefined =>
  URL.canParse(url, 'http://proxy') ? new URL(url, 'http://proxy') : undefined

export interface Answer {
  readonly code: number
  readonly type?: string
  readonly body: string
}

export const send = (response: ServerResponse, { code, type = 'text/plain; charset=utf-8', body }: Answer): void => {
  response.writeHead(code, { 'content-type': type, 'x-content-type-options': 'nosniff' })
  response.end(body)
}
