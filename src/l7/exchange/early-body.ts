import type { UpstreamStream } from '../upstream/stream.ts'

/** Collected at most before a pod is chosen; a longer body is streamed from here on. */
const MOST_COLLECTED = 1_048_576

/** What has been read of a request's body before a pod's connection was there for it. */
export class EarlyBody {
  /** The body is read whole first. */
  isCollecting = false
  #pieces: Buffer[] = []
  #size = 0
  #trailers: string | undefined
  #isWhole = false

  /** The body is here whole and stays, so that it can be sent again. */
  get isKept(): boolean {
    return this.#isWhole && this.#trailers !== undefined
  }

  collect(): void {
    this.isCollecting = true
    this.#isWhole = true
  }

  /** True when the body is too long to be collected: what is here must go out now. */
  add(bytes: Buffer, from: number, to: number): boolean {
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)))
    this.#size += to - from
    if (!this.isCollecting || this.#size <= MOST_COLLECTED) return false
    this.isCollecting = false
    this.#isWhole = false
    return true
  }

  /** True when the body was collected and is complete. */
  end(trailers: string): boolean {
    this.#trailers = trailers
    const wasCollecting = this.isCollecting
    this.isCollecting = false
    return wasCollecting
  }

  /** What was sent and not taken is here again; what is read from now on follows it. */
  restore(pieces: readonly Buffer[], trailers: string | undefined): void {
    if (this.isKept) return
    this.#pieces = [...pieces, ...this.#pieces]
    this.#trailers = trailers ?? this.#trailers
  }

  sendTo(upstream: UpstreamStream): void {
    for (const piece of this.#pieces) upstream.sendBytes(piece, 0, piece.length)
    if (this.#trailers !== undefined) upstream.sendEnd(this.#trailers)
    if (!this.isKept) this.clear()
  }

  clear(): void {
    if (this.#pieces.length > 0) this.#pieces = []
    this.#size = 0
    this.#trailers = undefined
    this.#isWhole = false
    this.isCollecting = false
  }
}
