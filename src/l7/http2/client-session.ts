import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type net from 'node:net'
import type { EngineContext } from '../context.ts'
import type { Timed } from '../deadlines.ts'
import type { ServerName } from '../http1/client-connection.ts'
import { ForwardedLines, type Peer } from '../http1/forwarded.ts'
import type { ClientCertificate } from '../tls/client-certificate.ts'
import { Allowance } from './allowance.ts'
import { ClientStream, type StreamOwner } from './client-stream.ts'
import { sessionOptions } from './session-options.ts'

const LINGER_MS = 2_000
/** The highest stream number: a client that gets it knows that an end is near, and nothing is refused yet (RFC 9113 section 6.8). */
const ANY_STREAM = 2 ** 31 - 1

/** An HTTP/2 client's connection: streams, how many of them and how often they are given up, idleness and its end. */
export class ClientSession implements StreamOwner, Timed {
  deadlineMs: number
  readonly forwarded: ForwardedLines
  readonly #context: EngineContext
  readonly #serverName: ServerName | undefined
  readonly #onGone: () => void
  readonly #socket: net.Socket
  readonly #session: ServerHttp2Session
  readonly #resets: Allowance
  readonly #controls: Allowance
  readonly #free: ClientStream[] = []
  #active = 0
  #requests = 0
  #isDraining = false

  constructor(
    context: EngineContext,
    socket: net.Socket,
    options: { readonly peer: Peer; readonly serverName: ServerName | undefined; readonly onGone: () => void },
  ) {
    const { settings, deadlines } = context
    this.#context = context
    this.#serverName = options.serverName
    this.#onGone = options.onGone
    this.#socket = socket
    this.forwarded = new ForwardedLines(options.peer, context.isTrusted)
    this.#resets = new Allowance(settings.http2ResetBurst, settings.http2ResetsPerSecond, deadlines.nowMs)
    this.#controls = new Allowance(settings.http2ControlBurst, settings.http2ControlsPerSecond, deadlines.nowMs)
    this.deadlineMs = deadlines.after(settings.headTimeoutMs)
    deadlines.add(this)
    socket.once('close', () => this.#gone())
    socket.once('end', () => this.destroy())
    this.#session = performServerHandshake(socket, sessionOptions(settings))
    this.#listen(this.#session)
  }

  get certificate(): ClientCertificate | undefined {
    return this.#serverName?.client
  }

  mayServe(host: string): boolean {
    const named = this.#serverName?.certificate
    return named === undefined || this.#context.certificateOf(host) === named
  }

  onStreamEnd(stream: ClientStream, isReset: boolean): void {
    this.#active--
    this.#free.push(stream)
    if (isReset) this.#onReset()
    if (this.#active > 0) return
    const { deadlines, settings } = this.#context
    this.deadlineMs = deadlines.after(this.#session.closed ? LINGER_MS : settings.keepAliveTimeoutMs)
  }

  onDeadline(): void {
    if (this.#session.closed || this.#session.destroyed || this.#requests === 0) this.destroy()
    else this.#close()
  }

  /** No new requests; those in progress finish. */
  drain(): void {
    if (this.#isDraining || this.#session.destroyed) return
    this.#isDraining = true
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, ANY_STREAM)
    // What the client sent before it knew has come when it answers.
    this.#session.ping(() => this.#close())
    if (this.#active === 0) this.deadlineMs = this.#context.deadlines.after(LINGER_MS)
  }

  destroy(): void {
    if (!this.#session.destroyed) this.#session.destroy()
    this.#socket.destroy()
  }

  #listen(session: ServerHttp2Session): void {
    session.on('stream', ((stream: ServerHttp2Stream, _fields: unknown, flags: number, list: readonly string[]) =>
      this.#onStream(stream, flags, list)) as (stream: ServerHttp2Stream) => void)
    session.on('error', () => {})
    session.on('ping', () => this.#onControl())
    session.on('remoteSettings', () => this.#onControl())
  }

  #onStream(stream: ServerHttp2Stream, flags: number, list: readonly string[]): void {
    if (stream.destroyed) {
      this.#onReset()
      return
    }
    this.deadlineMs = 0
    this.#active++
    this.#requests++
    const served = this.#free.pop() ?? new ClientStream(this.#context, this)
    served.open(stream, list, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)
    if (this.#requests >= this.#context.settings.maxRequestsPerConnection) this.drain()
  }

  #onReset(): void {
    if (!this.#resets.take(this.#context.deadlines.nowMs)) this.#calm('http2-reset-flood')
  }

  #onControl(): void {
    if (!this.#controls.take(this.#context.deadlines.nowMs)) this.#calm('http2-control-flood')
  }

  /** Takes no more from a client that costs more than it asks for. */
  #calm(reason: string): void {
    if (this.#session.destroyed) return
    this.#context.stats.countFailure(reason)
    this.#session.destroy(new Error(reason), constants.NGHTTP2_ENHANCE_YOUR_CALM)
    this.deadlineMs = this.#context.deadlines.after(LINGER_MS)
  }

  #close(): void {
    if (this.#session.closed || this.#session.destroyed) return
    this.#session.close()
    if (this.#active === 0) this.deadlineMs = this.#context.deadlines.after(LINGER_MS)
  }

  #gone(): void {
    this.deadlineMs = 0
    this.#context.deadlines.remove(this)
    if (!this.#session.destroyed) this.#session.destroy()
    this.#onGone()
  }
}
