import type { ServerHttp2Stream } from 'node:http2'

/** What Node tells of a client's stream. */
export interface StreamEvents {
  onBytes(bytes: Buffer): void
  onTrailers(list: readonly string[]): void
  onRequestEnd(): void
  onDrain(): void
  onWantTrailers(stream: ServerHttp2Stream): void
  onAborted(): void
  onClose(): void
}

const OWNER = Symbol('owner')
/** Node's stream with the object that serves it: handlers are shared functions, not closures for each stream. */
type OwnedStream = ServerHttp2Stream & { [OWNER]?: StreamEvents | undefined }

export const own = (stream: OwnedStream, owner: StreamEvents): void => {
  stream[OWNER] = owner
  stream.on('close', onClose)
  stream.on('aborted', onAborted)
  stream.on('error', ignore)
}

export const disown = (stream: OwnedStream): void => {
  stream[OWNER] = undefined
}

/** For a stream that is paused: it flows when it is resumed. */
export const hearBody = (stream: ServerHttp2Stream): void => {
  stream.on('data', onData)
  stream.on('trailers', onTrailers as () => void)
  stream.on('end', onEnd)
}

export const hearDrain = (stream: ServerHttp2Stream): void => {
  stream.on('drain', onDrain)
}

export const hearWantTrailers = (stream: ServerHttp2Stream): void => {
  stream.on('wantTrailers', onWantTrailers)
}

function onClose(this: OwnedStream): void {
  this[OWNER]?.onClose()
}

function onAborted(this: OwnedStream): void {
  this[OWNER]?.onAborted()
}

function onData(this: OwnedStream, bytes: Buffer): void {
  this[OWNER]?.onBytes(bytes)
}

function onTrailers(this: OwnedStream, _fields: unknown, _flags: number, list: readonly string[]): void {
  this[OWNER]?.onTrailers(list)
}

function onEnd(this: OwnedStream): void {
  this[OWNER]?.onRequestEnd()
}

function onDrain(this: OwnedStream): void {
  this[OWNER]?.onDrain()
}

function onWantTrailers(this: OwnedStream): void {
  this[OWNER]?.onWantTrailers(this)
}

/** What an error means is seen when the stream closes. */
const ignore = (): void => {}
