import type { Http2Stream } from 'node:http2'
import { isLasting } from '../read-buffers.ts'

/** Small pieces are joined up to here, as one DATA frame holds them. */
const JOINED_LIMIT = 15_000
const SMALL = 8_192

/** Writes a body to one HTTP/2 stream at a time; small pieces are joined, so that each answer is one write. */
export class StreamWriter {
  isEnded = false
  #stream: Http2Stream | undefined
  #text = ''
  #isCorked = false

  attach(stream: Http2Stream): void {
    this.#stream = stream
    this.#text = ''
    this.#isCorked = false
    this.isEnded = false
  }

  detach(): void {
    this.#stream = undefined
    this.#text = ''
  }

  /** The peer is slower than we are. */
  get isBlocked(): boolean {
    return this.#stream?.writableNeedDrain === true
  }

  /** Something was added that `flush` sends. */
  get isPending(): boolean {
    return this.#text !== '' || this.#isCorked
  }

  /** The memory may be reused after the call. */
  append(bytes: Buffer, from: number, to: number): void {
    if (to - from <= SMALL) {
      this.appendText(bytes.toString('latin1', from, to))
      return
    }
    const stream = this.#stream
    if (stream === undefined || this.isEnded) return
    this.#cork(stream)
    this.#writeText(stream)
    stream.write(isLasting(bytes) ? bytes.subarray(from, to) : copyOf(bytes, from, to))
  }

  appendText(text: string): void {
    this.#text += text
    if (this.#text.length < JOINED_LIMIT || this.#stream === undefined) return
    this.#cork(this.#stream)
    this.#writeText(this.#stream)
  }

  /** Sends what was added; false when the peer is slower than we are. */
  flush(): boolean {
    const stream = this.#stream
    if (stream === undefined) return true
    this.#writeText(stream)
    this.#uncork(stream)
    return !stream.writableNeedDrain
  }

  /** Sends what was added, and nothing after it. */
  end(): void {
    const stream = this.#stream
    if (stream === undefined || this.isEnded) return
    this.isEnded = true
    const text = this.#text
    this.#text = ''
    if (text === '') stream.end()
    else stream.end(text, 'latin1')
    this.#uncork(stream)
  }

  #writeText(stream: Http2Stream): void {
    const text = this.#text
    this.#text = ''
    if (text !== '' && !this.isEnded) stream.write(text, 'latin1')
  }

  #cork(stream: Http2Stream): void {
    if (this.#isCorked) return
    this.#isCorked = true
    stream.cork()
  }

  #uncork(stream: Http2Stream): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    stream.uncork()
  }
}

/** HTTP/2 keeps bytes beyond the end of a stream that was reset, so nothing may be read into them again: a copy, never a lease. */
const copyOf = (bytes: Buffer, from: number, to: number): Buffer => {
  const copy = Buffer.allocUnsafeSlow(to - from)
  bytes.copy(copy, 0, from, to)
  return copy
}
