import type { Deadlines, Timed } from '../deadlines.ts'
import { type PodRequest, podRequestText } from '../exchange/pod-request.ts'
import { type BodySink, ChunkedDecoder, lastChunk } from '../http1/chunked.ts'
import { ResponseHead, readResponseHead } from '../http1/response-head.ts'
import { HEAD_COMPLETE, HEAD_INCOMPLETE, HeadScan, scanHead } from '../http1/scan.ts'
import type { EngineSettings } from '../settings.ts'
import { connectTlsTransport, connectTransport, type Transport, type TransportOwner } from '../transport.ts'
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from './stream.ts'
import type { TlsDialer } from './tls-dialer.ts'

export interface UpstreamOwner {
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  /** The response is complete and the connection may serve another request. */
  onIdle(connection: UpstreamConnection): void
  onClosed(connection: UpstreamConnection): void
}

const Phase = { connecting: 0, idle: 1, head: 2, length: 3, chunked: 4, untilClose: 5, tunnel: 6, closed: 7 } as const
const MOST_INTERIM = 16
/** An answer that nobody wants is read to its end up to this size, so that its connection stays. */
const MOST_DISCARDED = 65_536

/** One keep-alive connection to a pod; carries one request at a time. */
export class UpstreamConnection implements UpstreamStream, TransportOwner, Timed, BodySink {
  deadlineMs = 0
  /** Served a request before: its next failure may be a stale connection. */
  isReused = false
  readonly #transport: Transport
  readonly #isTls: boolean
  readonly #owner: UpstreamOwner
  readonly #head = new ResponseHead()
  readonly #scan = new HeadScan()
  readonly #chunks = new ChunkedDecoder()
  #user: UpstreamUser | undefined
  #phase: number = Phase.connecting
  #held: Buffer | undefined
  #remaining = 0
  #interim = 0
  #silent = true
  #isHeadRequest = false
  #upgrade = false
  #reusable = true
  #responses = 0
  #sendsChunked = false
  #readMs: number
  #bodyMs: number
  #writeMs: number

  constructor(
    owner: UpstreamOwner,
    to: { readonly address: string; readonly port: number; readonly tls?: TlsDialer | undefined },
    user: UpstreamUser,
  ) {
    this.#owner = owner
    this.#user = user
    const { settings } = owner
    this.#readMs = settings.responseTimeoutMs
    this.#bodyMs = settings.bodyTimeoutMs
    this.#writeMs = settings.writeTimeoutMs
    this.deadlineMs = owner.deadlines.after(user.timeouts?.connectMs ?? settings.connectTimeoutMs)
    owner.deadlines.add(this)
    this.#isTls = to.tls !== undefined
    this.#transport = to.tls === undefined ? connectTransport(to, this) : connectTlsTransport(to.tls.connect(), this)
  }

  get isConnected(): boolean {
    return this.#phase !== Phase.connecting && this.#phase !== Phase.closed
  }

  /** Takes an idle connection into use. */
  take(user: UpstreamUser): void {
    this.#user = user
  }

  get isBlocked(): boolean {
    return this.#transport.hasBacklog
  }

  get isEnded(): boolean {
    return this.#transport.ended
  }

  sendHead(request: PodRequest): void {
    const { settings } = this.#owner
    this.#readMs = request.timeouts?.readMs ?? settings.responseTimeoutMs
    this.#bodyMs = request.timeouts?.readMs ?? settings.bodyTimeoutMs
    this.#writeMs = request.timeouts?.sendMs ?? settings.writeTimeoutMs
    this.#isHeadRequest = request.method === 'HEAD'
    this.#upgrade = request.upgrade
    this.#sendsChunked = request.chunked
    this.#phase = Phase.head
    this.#silent = true
    this.#interim = 0
    this.#scan.reset(0)
    this.#reusable = true
    this.deadlineMs = 0
    this.#transport.append(podRequestText(request))
  }

  sendBytes(bytes: Buffer, from: number, to: number): void {
    const transport = this.#transport
    if (!this.#sendsChunked || this.#phase === Phase.tunnel) {
      transport.appendBytes(bytes, from, to)
      return
    }
    transport.append(`${(to - from).toString(16)}\r\n`)
    transport.appendBytes(bytes, from, to)
    transport.append('\r\n')
  }

  sendEnd(trailers: string): void {
    if (this.#sendsChunked) this.#transport.append(lastChunk(trailers))
  }

  flush(): boolean {
    return this.#transport.flush()
  }

  awaitResponse(): void {
    if (this.#phase === Phase.head) this.deadlineMs = this.#owner.deadlines.after(this.#readMs)
  }

  awaitDrain(): void {
    if (this.#phase === Phase.head) this.deadlineMs = this.#owner.deadlines.after(this.#writeMs)
  }

  awaitClient(): void {
    if (this.#phase === Phase.head) this.deadlineMs = 0
  }

  pause(): void {
    this.#transport.pause()
    this.deadlineMs = 0
  }

  resume(): void {
    this.#transport.resume()
    if (this.#phase >= Phase.length && this.#phase <= Phase.untilClose) this.#awaitBody()
  }

  spoil(): void {
    this.#reusable = false
  }

  endTunnel(): void {
    this.#transport.end()
  }

  discard(): void {
    const isShort = this.#phase === Phase.length && this.#remaining <= MOST_DISCARDED
    if (!isShort || !this.#reusable) this.abandon()
    else this.#user = NOBODY
  }

  abandon(): void {
    this.#user = undefined
    this.#close()
  }

  onConnect(): void {
    if (this.#phase !== Phase.connecting) return
    this.#phase = Phase.idle
    this.deadlineMs = 0
    this.#user?.onUpstreamConnect()
  }

  onBytes(bytes: Buffer, length: number): void {
    const user = this.#user
    if (user === undefined || this.#phase <= Phase.idle) {
      // Bytes that answer no request are poison.
      this.#fail('invalid-response')
      return
    }
    this.#silent = false
    if (this.#held === undefined) {
      // Where an interim answer ended in the last read says nothing about this one.
      if (this.#phase === Phase.head) this.#scan.reset(0)
      this.#consume(bytes, length)
    } else {
      const joined = Buffer.concat([this.#held, bytes.subarray(0, length)])
      this.#held = undefined
      this.#consume(joined, joined.length)
    }
    user.onResponseFlush()
  }

  onEnd(): void {
    if (this.#phase === Phase.tunnel) this.#user?.onTunnelEnd()
    else if (this.#phase === Phase.untilClose) this.#complete('', false)
    else this.#fail(this.#phase === Phase.connecting ? 'refused' : 'reset')
  }

  onDrain(): void {
    this.#user?.onUpstreamDrain()
  }

  onClose(error: Error | undefined): void {
    if (this.#phase === Phase.closed) return
    if (this.#phase !== Phase.connecting) this.#fail('reset')
    else this.#fail(this.#isTls && !isConnectError(error) ? 'tls-failed' : 'refused')
  }

  onDeadline(): void {
    this.#fail(this.#phase === Phase.connecting ? 'connect-timeout' : 'response-timeout')
  }

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    this.#user?.onResponseBytes(bytes, from, to)
  }

  #consume(bytes: Buffer, to: number): void {
    let at = 0
    // When a response is complete its user may at once put the next request on this connection.
    const response = this.#responses
    while (at < to && this.#responses === response && this.#phase !== Phase.closed) {
      if (this.#phase === Phase.head) {
        const next = this.#readHead(bytes, at, to)
        if (next === -1) return
        at = next
      } else at = this.#readBody(bytes, at, to)
    }
  }

  /** Returns the offset after the head, or -1 when there is nothing more to do with these bytes. */
  #readHead(bytes: Buffer, at: number, to: number): number {
    const scan = this.#scan
    if (scan.position < at) scan.reset(at)
    const found = scanHead(bytes, to, scan, this.#owner.settings)
    if (found === HEAD_INCOMPLETE) {
      this.#held = Buffer.from(bytes.subarray(at, to))
      scan.shift(at)
      return -1
    }
    if (found !== HEAD_COMPLETE || !readResponseHead(bytes, scan, this.#head)) {
      this.#fail('invalid-response')
      return -1
    }
    const end = scan.position
    return this.#beginResponse(end === to) ? end : -1
  }

  #beginResponse(isAll: boolean): boolean {
    const head = this.#head
    const user = this.#user
    if (user === undefined) return false
    if (head.status === 101) {
      if (!this.#upgrade || !head.upgrade) return this.#fail('invalid-response')
      this.#phase = Phase.tunnel
      this.deadlineMs = 0
      user.onResponseHead(head)
      return true
    }
    if (head.status < 200) {
      if (++this.#interim > MOST_INTERIM) return this.#fail('invalid-response')
      this.#scan.reset(this.#scan.position)
      user.onResponseHead(head)
      return true
    }
    const bodiless = this.#isHeadRequest || head.status === 204 || head.status === 304
    if (bodiless) this.#phase = Phase.length
    else if (head.chunked) {
      this.#phase = Phase.chunked
      this.#chunks.reset()
    } else this.#phase = head.contentLength === -1 ? Phase.untilClose : Phase.length
    this.#remaining = bodiless ? 0 : head.contentLength
    this.#awaitBody()
    user.onResponseHead(head)
    if (this.#phase === Phase.length && this.#remaining === 0) this.#complete('', head.keepAlive && isAll)
    return true
  }

  #readBody(bytes: Buffer, at: number, to: number): number {
    const user = this.#user
    if (user === undefined) return to
    if (this.#phase === Phase.tunnel) {
      user.onTunnelBytes(bytes, at, to)
      return to
    }
    this.#awaitBody()
    if (this.#phase === Phase.untilClose) {
      user.onResponseBytes(bytes, at, to)
      return to
    }
    if (this.#phase === Phase.length) {
      const end = Math.min(to, at + this.#remaining)
      this.#remaining -= end - at
      user.onResponseBytes(bytes, at, end)
      if (this.#remaining === 0) this.#complete('', this.#head.keepAlive && end === to)
      return end
    }
    const end = this.#chunks.decode(bytes, { from: at, to }, this)
    if (end === -1) {
      this.#fail('invalid-response')
      return to
    }
    if (this.#chunks.isDone) this.#complete(this.#chunks.trailers, this.#head.keepAlive && end === to)
    return end
  }

  #awaitBody(): void {
    this.deadlineMs = this.#owner.deadlines.after(this.#bodyMs)
  }

  /** `keepAlive` is false also when bytes follow the response: they belong to no request. */
  #complete(trailers: string, keepAlive: boolean): void {
    const user = this.#user
    this.#responses++
    this.#user = undefined
    this.deadlineMs = 0
    if (keepAlive && this.#reusable && !this.#transport.isWriting) {
      this.#phase = Phase.idle
      this.isReused = true
      this.#owner.onIdle(this)
    } else this.#close()
    user?.onResponseEnd(trailers)
  }

  #fail(failure: UpstreamFailure): false {
    const user = this.#user
    const silent = this.#silent
    this.#user = undefined
    this.#close()
    user?.onUpstreamFailure(failure, silent)
    return false
  }

  #close(): void {
    if (this.#phase === Phase.closed) return
    this.#phase = Phase.closed
    this.deadlineMs = 0
    this.#owner.deadlines.remove(this)
    this.#transport.destroy()
    this.#owner.onClosed(this)
  }
}

/** The pod's address cannot be reached; other errors of a TLS connection are of its handshake. */
export const isConnectError = (error: Error | undefined): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.syscall === 'connect'

/** Takes the rest of an answer that nobody wants. */
const NOBODY: UpstreamUser = {
  timeouts: undefined,
  onUpstreamConnect: () => {},
  onResponseHead: () => {},
  onResponseBytes: () => {},
  onResponseEnd: () => {},
  onTunnelBytes: () => {},
  onTunnelEnd: () => {},
  onResponseFlush: () => {},
  onUpstreamDrain: () => {},
  onRequestReturned: () => {},
  onUpstreamFailure: () => {},
}
