import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2'
import net from 'node:net'
import type tls from 'node:tls'
import type { Deadlines, Timed } from '../../deadlines.ts'
import { podSessionOptions } from '../../http2/session-options.ts'
import type { EngineSettings } from '../../settings.ts'
import type { Endpoint } from '../../table/index.ts'
import { isConnectError } from '../connection.ts'
import type { UpstreamFailure, UpstreamUser } from '../stream.ts'
import type { TlsDialer } from '../tls-dialer.ts'
import { PodStream, type StreamSession } from './pod-stream.ts'

export interface PodSessionOwner {
  readonly endpoint: Endpoint
  readonly settings: EngineSettings
  readonly deadlines: Deadlines
  readonly tls: TlsDialer | undefined
  /** A request has ended, however. */
  onStreamDone(): void
  onSessionClosed(session: PodSession): void
}

const Phase = { connecting: 0, open: 1, closing: 2, closed: 3 } as const
/** Until the pod says how many requests it takes at a time. */
const ASSUMED_STREAMS = 100

/** One HTTP/2 connection to a pod; it is open when the pod's SETTINGS have come, so that a pod that speaks no HTTP/2 gets no request. */
export class PodSession implements StreamSession, Timed {
  deadlineMs: number
  hasServed = false
  readonly owner: PodSessionOwner
  readonly authority: string
  readonly #socket: net.Socket
  readonly #streams = new Set<PodStream>()
  #session: ClientHttp2Session | undefined
  #phase: number = Phase.connecting
  #maxStreams = ASSUMED_STREAMS
  #heardMs = 0
  #isPinging = false
  #error: Error | undefined
  #lastTaken = Number.MAX_SAFE_INTEGER

  constructor(owner: PodSessionOwner, user: UpstreamUser) {
    this.owner = owner
    const { endpoint, settings, deadlines } = owner
    const { address, port } = endpoint
    this.authority = `${net.isIPv6(address) ? `[${address}]` : address}:${port}`
    this.deadlineMs = deadlines.after(user.timeouts?.connectMs ?? settings.connectTimeoutMs)
    deadlines.add(this)
    this.#socket = owner.tls?.connect() ?? net.connect({ host: address, port, noDelay: true })
    this.#socket.once(owner.tls === undefined ? 'connect' : 'secureConnect', () => this.#begin())
    this.#socket.on('error', (error) => {
      this.#error = error
    })
    this.#socket.once('close', () => this.#onClosed())
  }

  get scheme(): 'http' | 'https' {
    return this.owner.tls === undefined ? 'http' : 'https'
  }

  get isOpen(): boolean {
    return this.#phase === Phase.open || this.#phase === Phase.closing
  }

  /** Another request may be put on it, at once or when it is open. */
  hasRoom(state: 'open' | 'connecting'): boolean {
    return this.#phase === Phase[state] && this.#streams.size < this.#maxStreams
  }

  /** A stream for one request; its user hears when the connection is open, unless it is. */
  take(user: UpstreamUser): PodStream {
    const stream = new PodStream(this, user)
    this.#streams.add(stream)
    if (this.#phase !== Phase.open) return stream
    if (!this.#isPinging) this.deadlineMs = 0
    this.#pingAfterSilence()
    return stream
  }

  request(fields: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream | undefined {
    const session = this.#session
    if (session === undefined || session.closed || session.destroyed) return undefined
    this.hasServed = true
    try {
      return session.request(fields, options)
    } catch {
      return undefined
    }
  }

  isUntaken(stream: ClientHttp2Stream): boolean {
    return stream.id === undefined || stream.id > this.#lastTaken
  }

  heard(): void {
    this.#heardMs = this.owner.deadlines.nowMs
  }

  onStreamClosed(stream: PodStream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return
    if (this.#phase === Phase.closing) this.destroy()
    else if (this.#phase === Phase.open && !this.#isPinging) this.#awaitUse()
  }

  onDeadline(): void {
    if (this.#phase === Phase.connecting) this.#fail('connect-timeout')
    else if (this.#streams.size > 0) this.#fail('reset')
    else this.retire()
  }

  /** No new requests; those in progress finish. */
  retire(): void {
    if (this.#phase >= Phase.closing) return
    const isBusy = this.#streams.size > 0
    if (this.#phase === Phase.open) this.#phase = Phase.closing
    this.owner.onSessionClosed(this)
    if (isBusy) return
    if (this.#session === undefined) this.destroy()
    else this.#session.close()
  }

  destroy(): void {
    this.#fail('reset')
  }

  #begin(): void {
    if (this.#phase !== Phase.connecting) return
    const { settings, tls: dialer } = this.owner
    if (dialer !== undefined && (this.#socket as tls.TLSSocket).alpnProtocol !== 'h2') {
      this.#fail('tls-failed')
      return
    }
    const session = connect(`${this.scheme}://${this.authority}`, {
      ...podSessionOptions(settings),
      createConnection: () => this.#socket,
    })
    this.#session = session
    session.setLocalWindowSize(settings.http2ConnectionWindowBytes)
    session.on('error', (error) => {
      this.#error ??= error
    })
    session.on('remoteSettings', ({ maxConcurrentStreams }) => this.#onSettings(maxConcurrentStreams))
    session.on('goaway', (_code, lastStreamId) => this.#onGoaway(lastStreamId))
    session.on('close', () => this.#onClosed())
  }

  #onSettings(maxStreams: number | undefined): void {
    this.#maxStreams = maxStreams ?? ASSUMED_STREAMS
    this.heard()
    if (this.#phase !== Phase.connecting) return
    this.#phase = Phase.open
    this.deadlineMs = 0
    for (const stream of [...this.#streams]) stream.onConnect()
    if (this.#streams.size === 0) this.#awaitUse()
  }

  #awaitUse(): void {
    this.deadlineMs = this.owner.deadlines.after(this.owner.settings.upstreamHttp2IdleTimeoutMs)
  }

  #onGoaway(lastStreamId: number): void {
    this.#lastTaken = lastStreamId
    if (this.#phase === Phase.open) this.#phase = Phase.closing
    this.owner.onSessionClosed(this)
  }

  /** A connection that is dead without a word is found out beside the next request, not after its whole time. */
  #pingAfterSilence(): void {
    const { settings, deadlines } = this.owner
    const { upstreamPingAfterMs, connectTimeoutMs } = settings
    if (upstreamPingAfterMs === 0 || this.#isPinging || deadlines.nowMs - this.#heardMs < upstreamPingAfterMs) return
    this.#isPinging = true
    this.deadlineMs = deadlines.after(connectTimeoutMs)
    this.#session?.ping((error) => {
      this.#isPinging = false
      if (error !== null || this.#phase >= Phase.closing) return
      this.heard()
      this.deadlineMs = 0
      if (this.#streams.size === 0) this.#awaitUse()
    })
  }

  #onClosed(): void {
    if (this.#phase !== Phase.connecting) this.#fail('reset')
    else if (this.#session !== undefined) this.#fail('invalid-response')
    else this.#fail(this.owner.tls !== undefined && !isConnectError(this.#error) ? 'tls-failed' : 'refused')
  }

  /** Ends the connection; streams that Node has not ended yet hear `failure`. */
  #fail(failure: UpstreamFailure): void {
    if (this.#phase === Phase.closed) return
    this.#phase = Phase.closed
    this.deadlineMs = 0
    this.owner.deadlines.remove(this)
    this.owner.onSessionClosed(this)
    if (this.#session !== undefined && !this.#session.destroyed) this.#session.destroy()
    this.#socket.destroy()
    for (const stream of [...this.#streams]) stream.fail(failure)
  }
}
