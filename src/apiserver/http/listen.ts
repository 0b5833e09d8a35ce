import { type IncomingMessage, ServerResponse } from 'node:http'
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type Http2Stream,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Clock, errorCode, errorMessage, type Logger, UserError } from '../../base/index.ts'
import type { KeyPair } from '../certificates/index.ts'
import type { Exchange, HttpRequest, HttpResponse } from './exchange.ts'
import { closeLingering, isLingering } from './linger.ts'
import { refusal } from './refuse.ts'

export interface ListenOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly authority: string
  readonly certificate: KeyPair
  readonly clock: Clock
  readonly log: Logger
  readonly handle: (exchange: Exchange) => Promise<void>
  /** What a client of HTTP/1.1 gets for headers, and for a whole request; for tests. */
  readonly timeouts?: Timeouts
}

interface Timeouts {
  readonly headersMs: number
  readonly requestMs: number
}

export interface Listening {
  readonly address: { readonly host: string; readonly port: number }
  /** Resolves when every connection is closed. */
  readonly stopped: Promise<void>
}

/** A body has 30 s (`body.ts`): this ends the connection of a client that goes on trickling after it was refused. */
const TIMEOUTS: Timeouts = { headersMs: 15_000, requestMs: 60_000 }
const IDLE_MS = 120_000
const HANDSHAKE_TIMEOUT_MS = 10_000
/** What clients get to end by themselves when the server stops. */
const CLOSE_MS = 500
const MAX_STREAMS = 250

/** Serves HTTPS, HTTP/2 and HTTP/1.1, until `signal` aborts. Rejects with a `UserError` when the port cannot be had. */
export const listenHttps = async (options: ListenOptions, signal: AbortSignal): Promise<Listening> => {
  const { host, port, log, clock } = options
  const server = createSecureServer({
    allowHTTP1: true,
    key: options.certificate.key,
    cert: options.certificate.certificate,
    ca: options.authority,
    minVersion: 'TLSv1.2',
    // Everybody may connect; who has no certificate of ours is told so in HTTP.
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 32 * 1024 },
  })
  limitHttp1(server, options.timeouts ?? TIMEOUTS)
  const sockets = new Set<Socket>()
  const serving: Serving = { options, open: new Set(), current: new WeakMap() }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    // This is how Node's HTTP/1.1 server closes after an answer, be there input unread or not.
    if (socket.alpnProtocol !== 'h2') socket.destroySoon = () => closeLingering(socket, clock)
  })
  server.on('clientError', (error: unknown, socket: Socket) => refuse(serving, error, socket))
  server.on('session', closeWhenIdle)
  server.on('tlsClientError', (error) => log.debug('apiserver: TLS handshake failed', { error: errorMessage(error) }))
  server.on('sessionError', (error) => log.debug('apiserver: HTTP/2 session failed', { error: errorMessage(error) }))
  server.on('request', (request: AnyRequest, response: AnyResponse) => serve(serving, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, host, port)))
    server.listen({ host, port }, resolve)
  })
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  const close = (): void => {
    server.close()
    for (const request of serving.open) request.abort()
    const timer = clock.setTimer(() => sockets.forEach((socket) => void socket.destroy()), CLOSE_MS)
    server.once('close', () => timer.cancel())
  }
  if (signal.aborted) close()
  else signal.addEventListener('abort', close, { once: true })
  // A server that listens on TCP has an address of this form.
  const bound = server.address() as AddressInfo
  return { address: { host, port: bound.port }, stopped: closed }
}

type AnyRequest = IncomingMessage | Http2ServerRequest
type AnyResponse = ServerResponse | Http2ServerResponse

interface Serving {
  readonly options: ListenOptions
  /** One for each request that is being answered: aborted when the server stops. */
  readonly open: Set<AbortController>
  /** The latest answer on each connection of HTTP/1.1. */
  readonly current: WeakMap<Socket, Answering>
}

interface Answering {
  readonly response: ServerResponse
  end(): void
}

const serve = ({ options, open, current }: Serving, request: AnyRequest, response: AnyResponse): void => {
  const gone = new AbortController()
  open.add(gone)
  const end = (): void => {
    open.delete(gone)
    gone.abort()
  }
  response.once('close', end)
  if (response instanceof ServerResponse) current.set(request.socket, { response, end })
  // A client that goes away is no failure of ours.
  response.on('error', () => {})
  request.on('error', () => {})
  const exchange: Exchange = {
    // Both kinds have what the interfaces name; their declared types differ in overloads only.
    request: request as unknown as HttpRequest,
    response: response as unknown as HttpResponse,
    // Every connection of this server is TLS.
    connection: request.socket as TLSSocket,
    signal: gone.signal,
    startedMs: options.clock.monotonic(),
    info: undefined,
    user: undefined,
  }
  options.handle(exchange).catch((error: unknown) => {
    options.log.error('apiserver: a request broke', { error: errorMessage(error) })
    response.destroy()
  })
}

/** Answers what is no request of HTTP/1.1, and closes so that the answer arrives. */
const refuse = ({ options, current }: Serving, error: unknown, socket: Socket): void => {
  if (isLingering(socket)) return
  const text = refusal(error)
  const answering = current.get(socket)
  const isUnanswered = answering !== undefined && !answering.response.writableFinished
  // In the middle of an answer only the end of the connection can tell the client.
  if (text === undefined || !socket.writable || (isUnanswered && answering.response.headersSent)) {
    socket.destroy()
    return
  }
  if (isUnanswered) {
    // Whatever comes of it now must not be written after the refusal.
    answering.response.detachSocket(socket)
    answering.end()
  }
  socket.write(text)
  closeLingering(socket, options.clock)
}

/** Time limits of the HTTP/1.1 half; the declared type of the server does not name them. */
const limitHttp1 = (server: object, { headersMs, requestMs }: Timeouts): void => {
  Object.assign(server, {
    headersTimeout: headersMs,
    connectionsCheckingInterval: headersMs / 3,
    keepAliveTimeout: IDLE_MS,
    requestTimeout: requestMs,
    timeout: 0,
  })
}

/** Closes an HTTP/2 session on which nothing is asked or watched. */
const closeWhenIdle = (session: Http2Session): void => {
  let streams = 0
  session.on('stream', (stream: Http2Stream) => {
    streams++
    stream.once('close', () => streams--)
  })
  session.setTimeout(IDLE_MS, () => {
    if (streams === 0) session.close()
  })
}

const portError = (error: unknown, host: string, port: number): Error => {
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new UserError(
        `the API server's port ${host}:${port} is in use; stop what holds it or choose another with --api-port`,
      )
    case 'EACCES':
      return new UserError(
        `the API server's port ${host}:${port} may not be bound by this user; choose one above 1023 with --api-port`,
      )
    case 'EADDRNOTAVAIL':
      return new UserError(`the API server's address ${host} is not of this machine; choose another`)
    default:
      return new Error(`the API server cannot listen on ${host}:${port}: ${errorMessage(error)}`, { cause: error })
  }
}
