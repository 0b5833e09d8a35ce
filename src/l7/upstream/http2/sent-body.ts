/** A longer body is not sent again. */
const MOST_KEPT = 65_536

/** What of a request's body was sent before the pod answered: a pod that goes away may not have taken it. */
export class SentBody {
  trailers: string | undefined
  #pieces: Buffer[] = []
  #size = 0

  /** Undefined when it was too long to be kept. */
  get pieces(): readonly Buffer[] | undefined {
    return this.#size > MOST_KEPT ? undefined : this.#pieces
  }

  /** `piece` must last. */
  add(piece: Buffer): void {
    this.#size += piece.length
    if (this.#size > MOST_KEPT) this.#pieces = []
    else this.#pieces.push(piece)
  }

  /** The pod has it. */
  clear(): void {
    this.#pieces = []
    this.#size = Number.MAX_SAFE_INTEGER
  }
}
