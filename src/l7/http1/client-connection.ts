import type { EngineContext } from '../context.ts'
import type { Timed } from '../deadlines.ts'
import { engineAnswer, reasonOf } from '../exchange/answers.ts'
import { Exchange } from '../exchange/exchange.ts'
import type { ClientCertificate } from '../tls/client-certificate.ts'
import type { Transport, TransportOwner } from '../transport.ts'
import { type BodySink, ChunkedDecoder } from './chunked.ts'
import { ForwardedLines, type Peer } from './forwarded.ts'
import { RequestHead, readRequestHead } from './request-head.ts'
import { type RequestReader, ResponseWriter } from './response-writer.ts'
import { HEAD_COMPLETE, HEAD_INCOMPLETE, HeadScan, scanHead } from './scan.ts'

const Phase = { head: 0, length: 1, chunked: 2, wait: 3, tunnel: 4, linger: 5, closed: 6 } as const
const LINGER_MS = 2_000

/** What a TLS client was served with, and what it showed. */
export interface ServerName {
  /** As `context.certificateOf` spells it; undefined when the client named no server and may ask for any host. */
  readonly certificate: string | undefined
  /** Undefined when it was not asked. */
  readonly client?: ClientCertificate | undefined
}

/** A client's connection: reads requests one after another and has each carried out by the exchange. */
export class ClientConnection implements TransportOwner, Timed, BodySink, RequestReader {
  deadlineMs = 0
  readonly forwarded: ForwardedLines
  hasBodyBytes = false
  readonly #context: EngineContext
  readonly #serverName: ServerName | undefined
  readonly #onGone: () => void
  readonly #request = new RequestHead()
  readonly #scan = new HeadScan()
  readonly #writer: ResponseWriter
  readonly #exchange: Exchange
  #transport: Transport | undefined
  #chunks: ChunkedDecoder | undefined
  #phase: number = Phase.head
  /** Bytes that were read and not consumed yet. */
  #held: Buffer | undefined
  #remaining = 0
  #bodyBytes = 0
  #requests = 0
  #isConsuming = false
  #isPaused = false
  #headBegun = false
  #peerEnded = false

  constructor(context: EngineContext, peer: Peer, options: { readonly serverName?: ServerName; readonly onGone: () => void }) {
    this.#context = context
    this.#serverName = options.serverName
    this.#onGone = options.onGone
    this.forwarded = new ForwardedLines(peer, context.isTrusted)
    this.#writer = new ResponseWriter(this, this.#request)
    this.#exchange = new Exchange(context, this.#writer, this.#request)
    this.deadlineMs = context.deadlines.after(context.settings.headTimeoutMs)
    context.deadlines.add(this)
  }

  get transport(): Transport {
    if (this.#transport === undefined) throw new Error('the connection is not attached to a transport')
    return this.#transport
  }

  attach(transport: Transport): void {
    this.#transport = transport
  }

  get certificate(): ClientCertificate | undefined {
    return this.#serverName?.client
  }

  get isRequestComplete(): boolean {
    return this.#phase !== Phase.length && this.#phase !== Phase.chunked
  }

  get mayKeepAlive(): boolean {
    return !this.#context.isDraining && !this.#peerEnded && this.#requests < this.#context.settings.maxRequestsPerConnection
  }

  onBytes(bytes: Buffer, length: number): void {
    if (this.#phase >= Phase.linger) return
    if (this.#held === undefined) this.#consume(bytes, length)
    else {
      const joined = Buffer.concat([this.#held, bytes.subarray(0, length)])
      this.#held = undefined
      this.#consume(joined, joined.length)
    }
  }

  onEnd(): void {
    this.#peerEnded = true
    if (this.#phase === Phase.tunnel) this.#exchange.endTunnel()
    else if (this.#phase !== Phase.wait) this.destroy()
  }

  onDrain(): void {
    if (this.#phase === Phase.closed) return
    const { deadlines, settings } = this.#context
    if (this.#phase === Phase.linger) this.deadlineMs = deadlines.after(LINGER_MS)
    else if (this.#phase === Phase.wait) this.deadlineMs = 0
    else if (this.#phase === Phase.head) this.deadlineMs = deadlines.after(settings.keepAliveTimeoutMs)
    this.#exchange.onClientDrain()
    if (this.#phase === Phase.head) this.#next()
  }

  onClose(): void {
    this.#gone()
  }

  onDeadline(): void {
    const { settings, deadlines } = this.#context
    if (this.#phase === Phase.length || this.#phase === Phase.chunked) {
      if (this.#exchange.isActive) this.#exchange.refuse(408, 'request-timeout')
      else this.destroy()
    } else if (this.#phase === Phase.head && this.#held !== undefined && !this.transport.hasBacklog) {
      this.#refuseHead(408)
      this.deadlineMs = deadlines.after(settings.writeTimeoutMs)
    } else this.destroy()
  }

  /** The engine stops: an idle connection closes now, a busy one after its answer. */
  drain(): void {
    if (this.#phase === Phase.head && this.#held === undefined) this.#linger()
  }

  destroy(): void {
    if (this.#phase === Phase.closed) return
    this.transport.destroy()
    this.#gone()
  }

  bodyBytes(bytes: Buffer, from: number, to: number): void {
    this.hasBodyBytes = true
    this.#bodyBytes += to - from
    this.#exchange.sendBody(bytes, from, to)
  }

  pauseRequest(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.transport.pause()
    if (this.#phase !== Phase.tunnel) this.deadlineMs = 0
  }

  resumeRequest(): void {
    if (!this.isRequestComplete) this.#awaitBody()
    if (this.isRequestComplete && this.#held !== undefined) return
    this.#resumeReading()
  }

  #resumeReading(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.transport.resume()
  }

  awaitDrain(): void {
    if (this.#phase !== Phase.tunnel) this.deadlineMs = this.#context.deadlines.after(this.#context.settings.writeTimeoutMs)
  }

  onAnswered(keepAlive: boolean): void {
    if (this.#phase === Phase.closed) return
    if (!keepAlive) {
      this.#linger()
      return
    }
    this.#requests++
    this.#phase = Phase.head
    this.#scan.reset(0)
    const { deadlines, settings } = this.#context
    this.deadlineMs = deadlines.after(this.transport.hasBacklog ? settings.writeTimeoutMs : settings.keepAliveTimeoutMs)
    if (!this.#isConsuming) this.#next()
  }

  onTunnel(): void {
    this.#phase = Phase.tunnel
    this.onTunnelBytes()
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#exchange.sendTunnel(held, 0, held.length)
    this.resumeRequest()
  }

  onTunnelBytes(): void {
    this.deadlineMs = this.#context.deadlines.after(this.#context.settings.tunnelTimeoutMs)
  }

  /** Goes on with what was held while another request was in progress. */
  #next(): void {
    if (this.transport.hasBacklog) return
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#consume(held, held.length)
    else this.resumeRequest()
  }

  #consume(bytes: Buffer, to: number): void {
    this.#isConsuming = true
    let at = 0
    while (at < to) {
      if (this.#phase === Phase.head) {
        if (this.transport.hasBacklog) break
        const next = this.#readHead(bytes, at, to)
        if (next === -1) {
          this.#isConsuming = false
          this.#resumeReading()
          return
        }
        at = next
      } else if (this.#phase === Phase.length || this.#phase === Phase.chunked) at = this.#readBody(bytes, at, to)
      else if (this.#phase === Phase.tunnel) {
        this.onTunnelBytes()
        this.#exchange.sendTunnel(bytes, at, to)
        at = to
      } else break
    }
    this.#isConsuming = false
    if (this.#phase >= Phase.linger) return
    if (this.#exchange.isActive) this.#exchange.flushRequest()
    if (at < to) {
      this.#held = Buffer.from(bytes.subarray(at, to))
      // A pipelined request waits for its turn in the kernel's buffer, not in ours.
      this.#pauseReading()
    } else if (!this.isRequestComplete && !this.#exchange.wantsBody) this.pauseRequest()
    else if (this.#isPaused && !this.#exchange.isBlocked && !this.transport.hasBacklog) this.resumeRequest()
  }

  #pauseReading(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.transport.pause()
  }

  /** Returns the offset after the head; -1 when these bytes are used up or the connection is refused. */
  #readHead(bytes: Buffer, at: number, to: number): number {
    const scan = this.#scan
    if (scan.position < at) scan.reset(at)
    const { settings, deadlines } = this.#context
    const found = scanHead(bytes, to, scan, settings)
    if (found === HEAD_INCOMPLETE) {
      // The first head's time runs from the accept on.
      if (this.#requests > 0 && !this.#headBegun) this.deadlineMs = deadlines.after(settings.headTimeoutMs)
      this.#headBegun = true
      this.#held = Buffer.from(bytes.subarray(at, to))
      scan.shift(at)
      return -1
    }
    this.#headBegun = false
    const status = found === HEAD_COMPLETE ? readRequestHead(bytes, scan, this.#request) : found
    if (status !== 0) {
      this.#refuseHead(status)
      return -1
    }
    const end = scan.position
    this.#beginRequest()
    return end
  }

  #beginRequest(): void {
    const request = this.#request
    this.hasBodyBytes = false
    this.#bodyBytes = 0
    this.deadlineMs = 0
    if (request.chunked) {
      this.#chunks ??= new ChunkedDecoder()
      this.#chunks.reset()
      this.#phase = Phase.chunked
    } else if (request.contentLength > 0) {
      this.#phase = Phase.length
      this.#remaining = request.contentLength
    } else this.#phase = Phase.wait
    this.#exchange.prepare()
    const named = this.#serverName?.certificate
    if (named !== undefined && this.#context.certificateOf(request.host) !== named) {
      this.#exchange.refuse(421, 'other-certificate')
      return
    }
    if (this.#phase !== Phase.wait) this.#awaitBody()
    this.#exchange.begin()
  }

  #readBody(bytes: Buffer, at: number, to: number): number {
    this.#awaitBody()
    if (this.#phase === Phase.length) {
      const end = Math.min(to, at + this.#remaining)
      this.#remaining -= end - at
      this.bodyBytes(bytes, at, end)
      if (this.#remaining === 0) this.#endBody('')
      return end
    }
    const chunks = this.#chunks
    const end = chunks === undefined ? -1 : chunks.decode(bytes, { from: at, to }, this)
    if (end === -1) {
      this.#exchange.refuse(400, 'malformed-chunk')
      return to
    }
    if (this.#bodyBytes > this.#exchange.maxBodyBytes) {
      this.#exchange.refuse(413, 'body-too-large')
      return to
    }
    if (chunks?.isDone) this.#endBody(chunks.trailers)
    return end
  }

  #endBody(trailers: string): void {
    this.#phase = Phase.wait
    this.deadlineMs = 0
    this.#exchange.endBody(trailers)
  }

  #awaitBody(): void {
    this.deadlineMs = this.#context.deadlines.after(this.#context.settings.bodyTimeoutMs)
  }

  /** A head that is refused says nothing about where the next one begins: answer and close. */
  #refuseHead(status: number): void {
    const { stats, report } = this.#context
    const reason = reasonOf(status)
    this.#request.keepAlive = false
    this.#request.method = ''
    this.#writer.sendAnswer(engineAnswer(status, reason))
    stats.requests++
    stats.countResponse(status)
    stats.countFailure(reason)
    report({ status, reason, method: '', host: '', path: '', target: undefined })
    this.#linger()
  }

  /** Says that nothing follows, and discards what the client still sends, so that a reset does not destroy the answer. */
  #linger(): void {
    if (this.#phase >= Phase.linger) return
    this.#phase = Phase.linger
    this.#held = undefined
    this.transport.end()
    if (this.#peerEnded && !this.transport.isWriting) {
      this.destroy()
      return
    }
    this.deadlineMs = this.#context.deadlines.after(this.transport.isWriting ? this.#context.settings.writeTimeoutMs : LINGER_MS)
    if (this.#isPaused) this.transport.resume()
  }

  #gone(): void {
    if (this.#phase === Phase.closed) return
    this.#phase = Phase.closed
    this.deadlineMs = 0
    this.#held = undefined
    this.#context.deadlines.remove(this)
    if (this.#exchange.isActive || this.#exchange.isTunnel) this.#exchange.abort()
    this.#onGone()
  }
}
