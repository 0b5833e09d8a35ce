import { type ClientHttp2Stream, type ClientSessionRequestOptions, constants, type OutgoingHttpHeaders } from 'node:http2'
import type { Deadlines, Timed } from '../../deadlines.ts'
import type { PodRequest } from '../../exchange/pod-request.ts'
import { ResponseHead } from '../../http1/response-head.ts'
import { isGrpc } from '../../http2/grpc.ts'
import { resetStream } from '../../http2/reset.ts'
import { addFieldLines, fieldObject } from '../../http2/response-fields.ts'
import { StreamWriter } from '../../http2/stream-writer.ts'
import { trailerLines } from '../../http2/trailers.ts'
import { isLasting } from '../../read-buffers.ts'
import type { EngineSettings } from '../../settings.ts'
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from '../stream.ts'
import { flushSoon } from './flush-queue.ts'
import { readResponseFields } from './response-fields.ts'
import { SentBody } from './sent-body.ts'

/** The connection that a stream is on. */
export interface StreamSession {
  readonly owner: {
    readonly settings: EngineSettings
    readonly deadlines: Deadlines
    /** A request has ended, however. */
    onStreamDone(): void
  }
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly isOpen: boolean
  readonly hasServed: boolean
  /** Undefined when the connection takes no more requests. */
  request(fields: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream | undefined
  /** The pod has said that it did not look at this request. */
  isUntaken(stream: ClientHttp2Stream): boolean
  /** The pod has given a sign of life. */
  heard(): void
  onStreamClosed(stream: PodStream): void
}

const Phase = { waiting: 0, head: 1, body: 2, closed: 3 } as const
const MOST_INTERIM = 16

const OWNER = Symbol('owner')
type OwnedStream = ClientHttp2Stream & { [OWNER]?: PodStream | undefined }

/** One request on a pod's HTTP/2 connection. */
export class PodStream implements UpstreamStream, Timed {
  deadlineMs = 0
  readonly isReused: boolean
  readonly isEnded = false
  readonly #session: StreamSession
  readonly #settings: EngineSettings
  readonly #head = new ResponseHead()
  readonly #writer = new StreamWriter()
  readonly #sent = new SentBody()
  #user: UpstreamUser | undefined
  #stream: OwnedStream | undefined
  #phase: number = Phase.waiting
  #interim = 0
  #received = 0
  #isHeadRequest = false
  #isFlushing = false
  #isRefusedHere = false
  #requestTrailers = ''
  #trailers = ''
  #readMs = 0
  #bodyMs = 0
  #writeMs = 0

  constructor(session: StreamSession, user: UpstreamUser) {
    this.#session = session
    this.#settings = session.owner.settings
    this.#user = user
    this.isReused = session.hasServed
  }

  get isConnected(): boolean {
    return this.#phase !== Phase.closed && this.#session.isOpen
  }

  get isBlocked(): boolean {
    return this.#writer.isBlocked
  }

  /** The connection is there. */
  onConnect(): void {
    this.#user?.onUpstreamConnect()
  }

  sendHead(request: PodRequest): void {
    const { responseTimeoutMs, bodyTimeoutMs, writeTimeoutMs } = this.#settings
    const { readMs, sendMs } = request.timeouts ?? {}
    this.#readMs = readMs ?? responseTimeoutMs
    this.#bodyMs = readMs ?? bodyTimeoutMs
    this.#writeMs = sendMs ?? writeTimeoutMs
    this.#isHeadRequest = request.method === 'HEAD'
    this.#phase = Phase.head
    this.#session.owner.deadlines.add(this)
    const isWhole = !request.chunked && request.contentLength <= 0
    // gRPC requests have no trailers; waiting for them costs a frame.
    const waitForTrailers = request.chunked && !isGrpc(request.fields)
    const stream = request.upgrade
      ? undefined
      : this.#session.request(fieldsOf(request, this.#session), { endStream: isWhole, waitForTrailers })
    if (stream === undefined) {
      this.#isRefusedHere = !request.upgrade
      // The caller goes on with this stream before it can hear of the failure.
      process.nextTick(failLater, this)
      return
    }
    this.#listen(stream, waitForTrailers)
    if (isWhole) this.#writer.isEnded = true
  }

  sendBytes(bytes: Buffer, from: number, to: number): void {
    const piece = isLasting(bytes) ? bytes.subarray(from, to) : Buffer.from(bytes.subarray(from, to))
    if (this.#phase === Phase.head) this.#sent.add(piece)
    if (this.#isLive) this.#writer.append(piece, 0, piece.length)
  }

  sendEnd(trailers: string): void {
    this.#requestTrailers = trailers
    this.#sent.trailers = trailers
    if (this.#isLive) this.#writer.end()
  }

  flush(): boolean {
    return !this.#isLive || this.#writer.flush()
  }

  awaitResponse(): void {
    if (this.#phase === Phase.head) this.#deadline(this.#readMs)
  }

  awaitDrain(): void {
    if (this.#phase === Phase.head) this.#deadline(this.#writeMs)
  }

  awaitClient(): void {
    if (this.#phase === Phase.head) this.deadlineMs = 0
  }

  pause(): void {
    this.#stream?.pause()
    this.deadlineMs = 0
  }

  resume(): void {
    this.#stream?.resume()
    if (this.#phase === Phase.body) this.#deadline(this.#bodyMs)
  }

  /** Streams stand alone: what one leaves undone harms no other. */
  spoil(): void {}

  endTunnel(): void {}

  discard(): void {
    this.abandon()
  }

  abandon(): void {
    this.#user = undefined
    this.#close()
  }

  onDeadline(): void {
    this.fail('response-timeout')
  }

  /** Ends the stream and tells its user why. */
  fail(failure: UpstreamFailure): void {
    const user = this.#user
    const isSilent = this.#phase <= Phase.head && this.#interim === 0
    this.#user = undefined
    this.#close()
    if (user === undefined) return
    if (failure === 'refused' && this.#sent.pieces !== undefined) user.onRequestReturned(this.#sent.pieces, this.#sent.trailers)
    user.onUpstreamFailure(failure, isSilent)
  }

  failUnsent(): void {
    if (this.#phase === Phase.head) this.fail(this.#isRefusedHere ? 'refused' : 'invalid-response')
  }

  onInterim(list: readonly string[]): void {
    this.#session.heard()
    if (this.#phase !== Phase.head) return
    if (++this.#interim > MOST_INTERIM || !readResponseFields(list, this.#head) || this.#head.status >= 200)
      this.fail('invalid-response')
    else this.#user?.onResponseHead(this.#head)
    this.#flushSoon()
  }

  onResponse(list: readonly string[]): void {
    this.#session.heard()
    if (this.#phase !== Phase.head) return
    if (!readResponseFields(list, this.#head) || this.#head.status < 200) {
      this.fail('invalid-response')
      return
    }
    this.#phase = Phase.body
    this.#sent.clear()
    this.#deadline(this.#bodyMs)
    this.#user?.onResponseHead(this.#head)
    this.#flushSoon()
  }

  onBytes(bytes: Buffer): void {
    this.#session.heard()
    if (this.#phase !== Phase.body) return
    this.#deadline(this.#bodyMs)
    this.#received += bytes.length
    this.#user?.onResponseBytes(bytes, 0, bytes.length)
    this.#flushSoon()
  }

  onTrailers(list: readonly string[]): void {
    const lines = trailerLines(list)
    if (lines === undefined) this.fail('invalid-response')
    else this.#trailers = lines
  }

  onResponseEnd(): void {
    if (this.#phase !== Phase.body) return
    const { status, contentLength } = this.#head
    const isBodiless = this.#isHeadRequest || status === 204 || status === 304
    // Node ends a stream that the pod gave up without an error as if it were complete.
    if (!isBodiless && contentLength !== -1 && contentLength !== this.#received) {
      this.fail('reset')
      return
    }
    const user = this.#user
    this.#user = undefined
    this.#close()
    user?.onResponseEnd(this.#trailers)
  }

  onDrain(): void {
    this.#user?.onUpstreamDrain()
  }

  onWantTrailers(stream: ClientHttp2Stream): void {
    const fields = fieldObject()
    addFieldLines(this.#requestTrailers, fields)
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(fields)
  }

  /** Node has ended the stream. */
  onClose(stream: ClientHttp2Stream): void {
    this.#session.onStreamClosed(this)
    if (this.#phase !== Phase.closed) this.fail(this.#failureOf(stream))
    stream.removeAllListeners('data')
  }

  flushRead(): void {
    this.#isFlushing = false
    if (this.#phase === Phase.body || this.#phase === Phase.head) this.#user?.onResponseFlush()
  }

  get #isLive(): boolean {
    const stream = this.#stream
    return stream !== undefined && !stream.destroyed && !stream.closed
  }

  #listen(stream: OwnedStream, waitForTrailers: boolean): void {
    this.#stream = stream
    this.#writer.attach(stream)
    stream[OWNER] = this
    stream.on('headers', onHeaders as () => void)
    stream.on('response', onResponse as () => void)
    stream.on('data', onData)
    stream.on('trailers', onTrailers as () => void)
    stream.on('end', onEnd)
    stream.on('drain', onDrain)
    stream.on('close', onClose)
    stream.on('error', ignore)
    if (waitForTrailers) stream.on('wantTrailers', onWantTrailers)
  }

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    flushSoon(this)
  }

  #failureOf(stream: ClientHttp2Stream): UpstreamFailure {
    const isUntaken = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || this.#session.isUntaken(stream)
    if (isUntaken && this.#phase === Phase.head && this.#sent.pieces !== undefined) return 'refused'
    return stream.rstCode === constants.NGHTTP2_PROTOCOL_ERROR ? 'invalid-response' : 'reset'
  }

  #deadline(afterMs: number): void {
    this.deadlineMs = this.#session.owner.deadlines.after(afterMs)
  }

  #close(): void {
    if (this.#phase === Phase.closed) return
    this.#phase = Phase.closed
    this.deadlineMs = 0
    this.#session.owner.deadlines.remove(this)
    const stream = this.#stream
    if (stream === undefined) this.#session.onStreamClosed(this)
    // Node ends only streams that are whole in both directions by itself.
    else if (!stream.readableEnded || !stream.writableFinished) resetStream(stream)
    this.#session.owner.onStreamDone()
  }
}

const fieldsOf = (request: PodRequest, session: StreamSession): OutgoingHttpHeaders => {
  const fields = fieldObject()
  fields[':method'] = request.method
  fields[':scheme'] = session.scheme
  fields[':authority'] = request.authority === '' ? session.authority : request.authority
  fields[':path'] = request.target
  addFieldLines(request.fields, fields)
  if (request.contentLength !== -1 && !request.chunked) fields['content-length'] = request.contentLength
  if (request.acceptsTrailers) fields['te'] = 'trailers'
  return fields
}

const failLater = (stream: PodStream): void => stream.failUnsent()

function onHeaders(this: OwnedStream, _fields: unknown, _flags: number, list: readonly string[]): void {
  this[OWNER]?.onInterim(list)
}

function onResponse(this: OwnedStream, _fields: unknown, _flags: number, list: readonly string[]): void {
  this[OWNER]?.onResponse(list)
}

function onData(this: OwnedStream, bytes: Buffer): void {
  this[OWNER]?.onBytes(bytes)
}

function onTrailers(this: OwnedStream, _fields: unknown, _flags: number, list: readonly string[]): void {
  this[OWNER]?.onTrailers(list)
}

function onEnd(this: OwnedStream): void {
  this[OWNER]?.onResponseEnd()
}

function onDrain(this: OwnedStream): void {
  this[OWNER]?.onDrain()
}

function onWantTrailers(this: OwnedStream): void {
  this[OWNER]?.onWantTrailers(this)
}

function onClose(this: OwnedStream): void {
  this[OWNER]?.onClose(this)
}

/** What an error means is seen when the stream closes. */
const ignore = (): void => {}
