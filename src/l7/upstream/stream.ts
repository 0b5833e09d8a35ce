import type { PodRequest, PodTimeouts } from '../exchange/pod-request.ts'
import type { ResponseHead } from '../http1/response-head.ts'

/** `refused`: nothing of the request was taken, by a pod that cannot be reached or that said so. */
export type UpstreamFailure = 'refused' | 'tls-failed' | 'connect-timeout' | 'reset' | 'invalid-response' | 'response-timeout'

/** One request's way to a pod, whatever protocol the pod speaks. */
export interface UpstreamStream {
  readonly isConnected: boolean
  /** The connection served a request before: a failure may mean that it was stale. */
  readonly isReused: boolean
  /** The pod takes nothing more for now; `onUpstreamDrain` tells when it does. */
  readonly isBlocked: boolean
  /** Nothing more is sent on a tunnel. */
  readonly isEnded: boolean
  sendHead(request: PodRequest): void
  sendBytes(bytes: Buffer, from: number, to: number): void
  sendEnd(trailers: string): void
  /** Lets go what was sent; false when the pod is slower than we are. */
  flush(): boolean
  /** The request is sent whole: from now on the pod must answer within its time. */
  awaitResponse(): void
  /** The pod must take what was written in time. */
  awaitDrain(): void
  /** The request's body is on its way; it is the client's turn. */
  awaitClient(): void
  /** The client is slower than the pod: its time does not count. */
  pause(): void
  resume(): void
  /** The request was not sent whole: nothing may follow it on this connection. */
  spoil(): void
  endTunnel(): void
  /** Lets go of the stream without a word to its user; the rest of a short answer is read and thrown away. */
  discard(): void
  /** Lets go of the stream without a word to its user. */
  abandon(): void
}

/** The exchange that a stream serves; told of one response at a time. */
export interface UpstreamUser {
  readonly timeouts: PodTimeouts | undefined
  onUpstreamConnect(): void
  /** Also called for 1xx, before the final one. */
  onResponseHead(head: ResponseHead): void
  onResponseBytes(bytes: Buffer, from: number, to: number): void
  onResponseEnd(trailers: string): void
  onTunnelBytes(bytes: Buffer, from: number, to: number): void
  onTunnelEnd(): void
  /** What arrived in one read has been told. */
  onResponseFlush(): void
  onUpstreamDrain(): void
  /** Before `refused`: what was sent of the body and the pod did not take; `trailers` when that was all. */
  onRequestReturned(pieces: readonly Buffer[], trailers: string | undefined): void
  /** The connection is lost; `silent` when not one byte of a response had come. */
  onUpstreamFailure(failure: UpstreamFailure, silent: boolean): void
}
