import type { EngineContext } from '../context.ts'
import type { Target } from '../table/index.ts'
import type { Transport } from '../transport.ts'
import type { BackendState } from '../upstream/backends.ts'
import type { UpstreamConnection, UpstreamFailure, UpstreamUser } from '../upstream/connection.ts'
import { ownAnswer } from './answers.ts'
import { lastChunk } from './chunked.ts'
import type { ForwardedLines } from './forwarded.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** The client's side of an exchange. */
export interface ExchangeClient {
  readonly transport: Transport
  readonly forwarded: ForwardedLines
  /** Every byte of the request has been read. */
  readonly isRequestComplete: boolean
  /** Bytes of the body have been read. */
  readonly hasBodyBytes: boolean
  /** The client may send another request on its connection. */
  readonly mayKeepAlive: boolean
  pauseRequest(): void
  resumeRequest(): void
  /** The client must take what was written in time. */
  awaitDrain(): void
  onExchangeEnd(keepAlive: boolean): void
  onTunnel(): void
  onTunnelBytes(): void
  destroy(): void
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
const Framing = { none: 0, asIs: 1, chunked: 2 } as const

/** Carries one request at a time from a client to a pod and the answer back; reused by all requests of a connection. */
export class Exchange implements UpstreamUser {
  isActive = false
  isTunnel = false
  readonly #context: EngineContext
  readonly #client: ExchangeClient
  #request: RequestHead
  #upstream: UpstreamConnection | undefined
  #backend: BackendState | undefined
  #target: Target | undefined
  /** Request bytes that no connection has taken; for requests without a body kept for a retry. */
  #text = ''
  #tries = 0
  #responseStarted = false
  #keepAlive = false
  #framing: number = Framing.none
  #pausedUpstream = false
  #isInvited = false

  constructor(context: EngineContext, client: ExchangeClient, request: RequestHead) {
    this.#context = context
    this.#client = client
    this.#request = request
  }

  get isConnected(): boolean {
    return this.#upstream?.isConnected === true
  }

  /** The pod takes nothing more for now. */
  get isBlocked(): boolean {
    return this.#upstream?.transport.hasBacklog === true
  }

  /** A request's head was read; what the last one left is forgotten. */
  prepare(): void {
    this.isActive = true
    this.#tries = 0
    this.#responseStarted = false
    this.#pausedUpstream = false
    this.#isInvited = false
    this.#target = undefined
    this.#backend = undefined
    this.#context.stats.requests++
  }

  /** Routes the prepared request and sends it on its way, or answers it. */
  begin(): void {
    const request = this.#request
    const match = this.#context.matcher.match(request.host, request.path)
    if (match === undefined) {
      this.refuse(404, 'no-route')
      return
    }
    this.#target = match.target
    this.#backend = this.#context.backends.get(match.target.backend)
    if (this.#backend === undefined || this.#backend.size === 0) {
      this.refuse(503, this.#backend?.unavailable ?? 'no-endpoints')
      return
    }
    this.#text = this.#requestText()
    this.#attempt(false)
  }

  sendBody(bytes: Buffer, from: number, to: number): void {
    const isChunked = this.#request.chunked
    const upstream = this.#upstream
    if (upstream?.isConnected) {
      const { transport } = upstream
      if (isChunked) transport.append(`${(to - from).toString(16)}\r\n`)
      transport.appendBytes(bytes, from, to)
      if (isChunked) transport.append('\r\n')
      return
    }
    const piece = bytes.toString('latin1', from, to)
    this.#text += isChunked ? `${(to - from).toString(16)}\r\n${piece}\r\n` : piece
  }

  endBody(trailers: string): void {
    const end = this.#request.chunked ? lastChunk(trailers) : ''
    if (!this.#upstream?.isConnected) {
      this.#text += end
      return
    }
    if (end !== '') this.#upstream.transport.append(end)
    this.#upstream.awaitResponse()
  }

  /** Sends what was added; pauses the client while the pod is slower. */
  flushRequest(): void {
    const upstream = this.#upstream
    if (upstream === undefined || !upstream.isConnected || upstream.transport.flush()) return
    this.#client.pauseRequest()
    upstream.awaitDrain()
  }

  /** The engine's own answer, when nothing of another has been sent. */
  refuse(status: number, reason: string): void {
    const request = this.#request
    const { context, client } = { context: this.#context, client: this.#client }
    this.#drop()
    if (this.#responseStarted) {
      this.#finishBroken()
      return
    }
    const keepAlive = request.keepAlive && client.isRequestComplete && client.mayKeepAlive
    client.transport.append(ownAnswer({ status, reason, keepAlive, isHead: request.method === 'HEAD' }))
    client.transport.flush()
    context.stats.countResponse(status)
    context.stats.countFailure(reason)
    context.report({ status, reason, method: request.method, host: request.host, path: request.path, target: this.#target })
    this.isActive = false
    client.onExchangeEnd(keepAlive)
  }

  /** The client is gone. */
  abort(): void {
    this.#drop()
    this.isActive = false
  }

  onClientDrain(): void {
    if (!this.#pausedUpstream) return
    this.#pausedUpstream = false
    this.#upstream?.resume()
  }

  sendTunnel(bytes: Buffer, from: number, to: number): void {
    const upstream = this.#upstream
    if (upstream === undefined) return
    upstream.transport.appendBytes(bytes, from, to)
    if (!upstream.transport.flush()) this.#client.pauseRequest()
  }

  endTunnel(): void {
    const { transport } = this.#client
    if (transport.ended) this.#client.destroy()
    else this.#upstream?.transport.end()
  }

  onUpstreamConnect(): void {
    this.#context.stats.upstreamConnects++
    this.#sendHead()
    this.flushRequest()
    const client = this.#client
    if (client.isRequestComplete) return
    this.#invite()
    if (!this.#upstream?.transport.hasBacklog) client.resumeRequest()
  }

  onResponseHead(head: ResponseHead): void {
    const { transport } = this.#client
    if (head.status === 101) {
      this.#beginTunnel(head)
      return
    }
    if (head.status < 200) {
      // 100 was our business: the client has had its answer to Expect.
      if (head.status !== 100 && this.#request.minor === 1)
        transport.append(`HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}\r\n`)
      return
    }
    const client = this.#client
    this.#responseStarted = true
    this.#keepAlive = this.#request.keepAlive && client.isRequestComplete && client.mayKeepAlive
    // An answer before the request's end: neither connection can be used again (0.CL attacks).
    if (!client.isRequestComplete) this.#upstream?.spoil()
    transport.append(this.#responseText(head))
    this.#context.stats.countResponse(head.status)
  }

  onResponseBytes(bytes: Buffer, from: number, to: number): void {
    const { transport } = this.#client
    if (this.#framing !== Framing.chunked) {
      transport.appendBytes(bytes, from, to)
      return
    }
    transport.append(`${(to - from).toString(16)}\r\n`)
    transport.appendBytes(bytes, from, to)
    transport.append('\r\n')
  }

  onResponseEnd(trailers: string): void {
    this.#upstream = undefined
    this.#text = ''
    const { transport } = this.#client
    if (this.#framing === Framing.chunked) transport.append(lastChunk(trailers))
    transport.flush()
    this.isActive = false
    this.#client.onExchangeEnd(this.#keepAlive)
  }

  onResponseFlush(): void {
    if (this.#client.transport.flush() || this.#upstream === undefined || this.#pausedUpstream) return
    this.#pausedUpstream = true
    this.#upstream.pause()
    this.#client.awaitDrain()
  }

  onUpstreamDrain(): void {
    if (!this.isActive) return
    if (!this.#client.isRequestComplete) this.#upstream?.awaitClient()
    else this.#upstream?.awaitResponse()
    this.#client.resumeRequest()
  }

  onTunnelBytes(bytes: Buffer, from: number, to: number): void {
    this.#client.transport.appendBytes(bytes, from, to)
    this.#client.onTunnelBytes()
  }

  onTunnelEnd(): void {
    if (this.#upstream?.transport.ended) this.#client.destroy()
    else this.#client.transport.end()
  }

  onUpstreamFailure(failure: UpstreamFailure, silent: boolean): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    if (this.isTunnel) {
      this.#client.destroy()
      return
    }
    const neverConnected = failure === 'refused' || failure === 'connect-timeout'
    // A connection that the pod closed while it was idle took nothing of the request; only then is a repetition safe.
    const wasStale = failure === 'reset' && silent && upstream?.isReused === true && this.#mayRepeat
    if ((neverConnected || wasStale) && this.#tries < this.#context.settings.maxTries) {
      this.#context.stats.retries++
      this.#attempt(wasStale)
      this.#afterRetry()
      return
    }
    const isTimeout = failure === 'connect-timeout' || failure === 'response-timeout'
    this.refuse(isTimeout ? 504 : 502, `upstream-${failure}`)
  }

  get #mayRepeat(): boolean {
    return this.#request.isBodiless && IDEMPOTENT.has(this.#request.method)
  }

  #attempt(isFresh: boolean): void {
    const pool = this.#backend?.choose()
    if (pool === undefined) {
      this.refuse(503, 'no-endpoints')
      return
    }
    this.#tries++
    const idle = isFresh ? undefined : pool.takeIdle(this)
    if (idle === undefined) {
      this.#upstream = pool.connect(this)
      return
    }
    this.#upstream = idle
    this.#sendHead()
    this.#invite()
  }

  /** A client that expects it is told once that a pod is there for its body. */
  #invite(): void {
    const client = this.#client
    if (!this.#request.expectsContinue || this.#isInvited || client.isRequestComplete || client.hasBodyBytes) return
    this.#isInvited = true
    client.transport.append('HTTP/1.1 100 Continue\r\n\r\n')
    client.transport.flush()
  }

  /** A repetition that found an idle connection goes out now; a new connection sends when it is there. */
  #afterRetry(): void {
    if (!this.isConnected) return
    this.flushRequest()
    if (!this.#client.isRequestComplete && !this.isBlocked) this.#client.resumeRequest()
  }

  #sendHead(): void {
    const upstream = this.#upstream
    if (upstream === undefined) return
    upstream.expectResponse(this.#request.method === 'HEAD', this.#request.upgrade)
    upstream.transport.append(this.#text)
    if (!this.#mayRepeat) this.#text = ''
    if (this.#client.isRequestComplete) upstream.awaitResponse()
  }

  #requestText(): string {
    const request = this.#request
    const id = request.requestId === '' ? this.#context.newRequestId() : request.requestId
    let text =
      `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.authority}\r\n${request.fields}` +
      `${this.#client.forwarded.of(request)}X-Request-ID: ${id}\r\n`
    if (request.chunked) text += 'Transfer-Encoding: chunked\r\n'
    else if (request.contentLength !== -1) text += `Content-Length: ${request.contentLength}\r\n`
    if (request.upgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    else if (request.acceptsTrailers) text += 'TE: trailers\r\nConnection: TE\r\n'
    return `${text}\r\n`
  }

  #responseText(head: ResponseHead): string {
    let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}`
    const isBodiless = this.#request.method === 'HEAD' || head.status === 204 || head.status === 304
    this.#framing = Framing.asIs
    if (head.contentLength !== -1) {
      if (head.status !== 204) text += `Content-Length: ${head.contentLength}\r\n`
    } else if (isBodiless) {
      if (head.chunked && head.status !== 204) text += 'Transfer-Encoding: chunked\r\n'
    } else if (this.#request.minor === 1) {
      this.#framing = Framing.chunked
      text += 'Transfer-Encoding: chunked\r\n'
    } else this.#keepAlive = false
    if (isBodiless) this.#framing = Framing.none
    if (!this.#keepAlive) text += 'Connection: close\r\n'
    else if (this.#request.minor === 0) text += 'Connection: keep-alive\r\n'
    return `${text}\r\n`
  }

  #beginTunnel(head: ResponseHead): void {
    this.isTunnel = true
    this.#responseStarted = true
    const { transport } = this.#client
    transport.append(`HTTP/1.1 101 ${head.reason}\r\n${head.fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    this.#context.stats.countResponse(101)
    this.#context.stats.tunnels++
    this.#client.onTunnel()
  }

  /** Half an answer cannot be mended: the client must see that it is broken. */
  #finishBroken(): void {
    this.isActive = false
    this.#context.stats.countFailure('response-cut-off')
    this.#client.destroy()
  }

  #drop(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#text = ''
    upstream?.abandon()
  }
}
