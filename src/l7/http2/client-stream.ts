import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2'
import type { EngineContext } from '../context.ts'
import type { Timed } from '../deadlines.ts'
import { answerFields, engineAnswer, reasonOf } from '../exchange/answers.ts'
import type { ExchangeClient } from '../exchange/client.ts'
import { Exchange } from '../exchange/exchange.ts'
import type { ForwardedLines } from '../http1/forwarded.ts'
import { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import type { Answer } from '../policy/contract.ts'
import type { ClientCertificate } from '../tls/client-certificate.ts'
import { grpcAnswer, isGrpc, UNAVAILABLE } from './grpc.ts'
import { readRequestFields } from './request-fields.ts'
import { resetStream } from './reset.ts'
import { addFieldLines, fieldObject } from './response-fields.ts'
import { disown, hearBody, hearDrain, hearWantTrailers, own, type StreamEvents } from './stream-events.ts'
import { StreamWriter } from './stream-writer.ts'
import { trailerLines } from './trailers.ts'

/** The connection of a stream. */
export interface StreamOwner {
  readonly forwarded: ForwardedLines
  readonly certificate: ClientCertificate | undefined
  /** The client may ask for this host on this connection (421 otherwise). */
  mayServe(host: string): boolean
  /** The stream has ended and its object is free; `isReset`: the client gave it up. */
  onStreamEnd(stream: ClientStream, isReset: boolean): void
}

/** `ending`: the answer is on its way. */
const Phase = { free: 0, body: 1, wait: 2, ending: 3 } as const
/** A pod's answers have their date; the types leave `sendDate` out. */
const STREAMED: ServerStreamResponseOptions & { readonly sendDate: boolean } = { sendDate: false }
const WHOLE: typeof STREAMED = { endStream: true, sendDate: false }
const WITH_TRAILERS: typeof STREAMED = { waitForTrailers: true, sendDate: false }
/** Node ends a stream at once for these. */
const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304

/** One request of an HTTP/2 client at a time; the object and its exchange serve many, one after another. */
export class ClientStream implements ExchangeClient, StreamEvents, Timed {
  deadlineMs = 0
  hasBodyBytes = false
  readonly protocol = 'h2'
  readonly #context: EngineContext
  readonly #owner: StreamOwner
  readonly #request = new RequestHead()
  readonly #exchange: Exchange
  readonly #writer = new StreamWriter()
  #stream: ServerHttp2Stream | undefined
  #phase: number = Phase.free
  #fields: OutgoingHttpHeaders | undefined
  #isHeadSent = false
  /** The answer's head was given to us. */
  #hasHead = false
  #isBodiless = false
  #isEndAsked = false
  #sendsTrailers = false
  #trailers = ''
  #requestTrailers = ''
  #hearsDrain = false
  #isGivenUp = false
  #bodyBytes = 0

  constructor(context: EngineContext, owner: StreamOwner) {
    this.#context = context
    this.#owner = owner
    this.#exchange = new Exchange(context, this, this.#request)
  }

  get forwarded(): ForwardedLines {
    return this.#owner.forwarded
  }

  get certificate(): ClientCertificate | undefined {
    return this.#owner.certificate
  }

  get isRequestComplete(): boolean {
    return this.#phase !== Phase.body
  }

  get isEnded(): boolean {
    return this.#writer.isEnded
  }

  /** Serves a request; `list` is its field list (name, value, name, …). */
  open(stream: ServerHttp2Stream, list: readonly string[], isWhole: boolean): void {
    this.#attach(stream)
    this.#phase = isWhole ? Phase.wait : Phase.body
    const status = readRequestFields(list, isWhole, this.#context.settings, this.#request)
    if (status !== 0) {
      this.#refuseHead(status)
      return
    }
    if (!isWhole) this.#listen(stream)
    const exchange = this.#exchange
    exchange.prepare()
    if (!this.#owner.mayServe(this.#request.host)) {
      exchange.refuse(421, 'other-certificate')
      return
    }
    if (!isWhole) this.#awaitBody()
    exchange.begin()
    if (!exchange.isActive) return
    exchange.flushRequest()
    if (this.#phase === Phase.body && exchange.wantsBody && !exchange.isBlocked) this.resumeRequest()
  }

  onDeadline(): void {
    if (this.#phase === Phase.body && this.#exchange.isActive && !this.#writer.isBlocked)
      this.#exchange.refuse(408, 'request-timeout')
    else this.reset()
  }

  /** Ends the stream, whatever it is at. */
  reset(): void {
    const stream = this.#stream
    this.#phase = Phase.ending
    this.deadlineMs = 0
    this.#abort()
    if (stream !== undefined) resetStream(stream)
  }

  pauseRequest(): void {
    this.#stream?.pause()
    if (this.#phase === Phase.body) this.deadlineMs = 0
  }

  resumeRequest(): void {
    if (this.#phase !== Phase.body) return
    this.#awaitBody()
    this.#stream?.resume()
  }

  awaitDrain(): void {
    if (!this.#hearsDrain && this.#stream !== undefined) hearDrain(this.#stream)
    this.#hearsDrain = true
    this.deadlineMs = this.#context.deadlines.after(this.#context.settings.writeTimeoutMs)
  }

  sendContinue(): void {
    this.#sendInterim(100, '')
  }

  sendInterim(head: ResponseHead): void {
    this.#sendInterim(head.status, head.fields)
  }

  sendHead(head: ResponseHead): void {
    const fields = fieldObject()
    fields[':status'] = head.status
    if (head.contentLength !== -1 && head.status !== 204) fields['content-length'] = head.contentLength
    addFieldLines(head.fields, fields)
    this.#setHead(fields, head.status)
  }

  sendBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#isBodiless) return
    // Larger pieces are not joined: what they follow must be under way.
    if (to - from > SMALL_ANSWER && !this.#isHeadSent) this.#respond()
    if (this.#isLive) this.#writer.append(bytes, from, to)
  }

  sendEnd(trailers: string): void {
    this.#trailers = trailers
    this.#isEndAsked = true
  }

  sendAnswer(answer: Answer): void {
    if (isGrpc(this.#request.fields)) {
      this.#setHead(grpcAnswer(answer), 200)
    } else {
      const fields = fieldObject()
      fields[':status'] = answer.status
      if (answer.status !== 204) fields['content-length'] = Buffer.byteLength(answer.body, 'latin1')
      addFieldLines(answerFields(answer), fields)
      this.#setHead(fields, answer.status)
      if (!this.#isBodiless) this.#writer.appendText(answer.body)
    }
    this.sendEnd('')
  }

  flush(): boolean {
    if (!this.#hasHead) return true
    if (!this.#isHeadSent) this.#respond()
    if (!this.#isLive) return true
    const writer = this.#writer
    if (this.#isEndAsked) writer.end()
    else writer.flush()
    return !writer.isBlocked
  }

  /** Tunnels need extended CONNECT (RFC 8441), which is not offered. */
  beginTunnel(): void {
    this.destroy()
  }

  onTunnelBytes(): void {}

  endTunnel(): void {
    this.destroy()
  }

  onExchangeEnd(): void {
    const stream = this.#stream
    const isWhole = this.isRequestComplete
    this.#phase = Phase.ending
    this.deadlineMs = this.#context.deadlines.after(this.#context.settings.writeTimeoutMs)
    if (isWhole || stream === undefined) return
    // The client need not send the rest (RFC 9113 section 8.1); what is on its way is thrown away.
    stream.resume()
    stream.close(constants.NGHTTP2_NO_ERROR)
  }

  destroy(): void {
    if (this.#isHeadSent && this.#sendsTrailers && this.#isLive && isGrpc(this.#request.fields)) {
      this.#trailers = `grpc-status: ${UNAVAILABLE}\r\ngrpc-message: the pod's answer was cut off\r\n`
      this.#writer.end()
      this.onExchangeEnd()
    } else this.reset()
  }

  onBytes(bytes: Buffer): void {
    if (this.#phase !== Phase.body) return
    const exchange = this.#exchange
    this.hasBodyBytes = true
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes > exchange.maxBodyBytes) {
      exchange.refuse(413, 'body-too-large')
      return
    }
    this.#awaitBody()
    exchange.sendBody(bytes, 0, bytes.length)
    this.#flushRequest()
  }

  onTrailers(list: readonly string[]): void {
    const lines = trailerLines(list)
    if (lines === undefined) this.reset()
    else this.#requestTrailers = lines
  }

  onRequestEnd(): void {
    if (this.#phase !== Phase.body) return
    const { contentLength } = this.#request
    // Node ends a stream that the client gave up without an error as if it were complete.
    const isCut = this.#stream?.closed === true || (contentLength !== -1 && contentLength !== this.#bodyBytes)
    if (isCut) {
      this.reset()
      return
    }
    this.#phase = Phase.wait
    this.deadlineMs = 0
    this.#exchange.endBody(this.#requestTrailers)
    this.#flushRequest()
  }

  onDrain(): void {
    if (this.#phase === Phase.ending || this.#phase === Phase.free) return
    if (this.#phase === Phase.body) this.#awaitBody()
    else this.deadlineMs = 0
    this.#exchange.onClientDrain()
  }

  onWantTrailers(stream: ServerHttp2Stream): void {
    const fields = fieldObject()
    addFieldLines(this.#trailers, fields)
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(fields)
  }

  /** The client gave the stream up; Node closes it by itself only when nothing was being written. */
  onAborted(): void {
    if (this.#phase === Phase.ending || this.#phase === Phase.free) return
    this.#isGivenUp = true
    this.reset()
  }

  onClose(): void {
    const isReset = this.#isGivenUp || this.#phase !== Phase.ending
    this.#abort()
    this.#detach()
    this.#owner.onStreamEnd(this, isReset)
  }

  /** The stream still takes what is sent. */
  get #isLive(): boolean {
    const stream = this.#stream
    return stream !== undefined && !stream.destroyed && !stream.closed
  }

  #attach(stream: ServerHttp2Stream): void {
    this.#stream = stream
    this.#writer.attach(stream)
    this.#isHeadSent = false
    this.#hasHead = false
    this.#isBodiless = false
    this.#isEndAsked = false
    this.#sendsTrailers = false
    this.#trailers = ''
    this.#requestTrailers = ''
    this.#hearsDrain = false
    this.#isGivenUp = false
    this.#bodyBytes = 0
    this.hasBodyBytes = false
    this.deadlineMs = 0
    own(stream, this)
    this.#context.deadlines.add(this)
  }

  #detach(): void {
    if (this.#stream !== undefined) disown(this.#stream)
    this.#stream = undefined
    this.#fields = undefined
    this.#writer.detach()
    this.#phase = Phase.free
    this.deadlineMs = 0
    this.#context.deadlines.remove(this)
  }

  #listen(stream: ServerHttp2Stream): void {
    stream.pause()
    hearBody(stream)
  }

  #flushRequest(): void {
    const exchange = this.#exchange
    if (!exchange.isActive) return
    exchange.flushRequest()
    if (this.#phase === Phase.body && !exchange.wantsBody) this.pauseRequest()
  }

  #awaitBody(): void {
    const { deadlines, settings } = this.#context
    // While both sides speak (gRPC), the pod's silence is what counts.
    this.deadlineMs = this.#hasHead ? 0 : deadlines.after(settings.bodyTimeoutMs)
  }

  #setHead(fields: OutgoingHttpHeaders, status: number): void {
    this.#fields = fields
    this.#hasHead = true
    this.#isBodiless = this.#request.method === 'HEAD' || isBodiless(status)
  }

  #respond(): void {
    const fields = this.#fields
    this.#fields = undefined
    this.#isHeadSent = true
    const stream = this.#stream
    if (fields === undefined || stream === undefined || !this.#isLive) return
    const isEmpty = this.#isBodiless || (this.#isEndAsked && !this.#writer.isPending)
    this.#sendsTrailers = !this.#isBodiless && (this.#isEndAsked ? this.#trailers !== '' : this.#request.acceptsTrailers)
    if (this.#sendsTrailers) {
      hearWantTrailers(stream)
      stream.respond(fields, WITH_TRAILERS)
    } else if (isEmpty) {
      this.#writer.isEnded = true
      stream.respond(fields, WHOLE)
    } else stream.respond(fields, STREAMED)
  }

  #sendInterim(status: number, lines: string): void {
    const stream = this.#stream
    if (stream === undefined || !this.#isLive || this.#isHeadSent) return
    const fields = fieldObject()
    fields[':status'] = status
    addFieldLines(lines, fields)
    stream.additionalHeaders(fields)
  }

  #refuseHead(status: number): void {
    const { stats, report } = this.#context
    const reason = reasonOf(status)
    this.#request.fields = ''
    this.sendAnswer(engineAnswer(status, reason))
    this.flush()
    stats.requests++
    stats.countResponse(status)
    stats.countFailure(reason)
    report({ status, reason, method: '', host: '', path: '', target: undefined })
    this.onExchangeEnd()
  }

  #abort(): void {
    if (this.#exchange.isActive) this.#exchange.abort()
  }
}

const SMALL_ANSWER = 8_192
