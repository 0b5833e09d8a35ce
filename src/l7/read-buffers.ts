/** Memory for reads. Small reads share one buffer; a connection that streams gets one of its own, whose bytes are passed on uncopied. */

const SIZE = 65_536
const STREAM_BELOW = SIZE / 2
/** Connections that stream beside these copy instead. */
const MOST_OWN = 256
const MOST_FREE = 32

export const sharedBuffer = Buffer.allocUnsafeSlow(SIZE)

/** Own buffers that are in use, with the number of writes that still need their bytes. */
const leases = new Map<Buffer, Lease>()
const free: Buffer[] = []

interface Lease {
  writes: number
  /** Its connection reads into another one. */
  isRetired: boolean
}

/** Whether a write may keep these bytes: true unless they are in the shared buffer. */
export const mayKeep = (bytes: Buffer): boolean => bytes !== sharedBuffer

/** Nothing will be read into these bytes again, so that they may be kept for as long as it takes. */
export const isLasting = (bytes: Buffer): boolean => bytes !== sharedBuffer && !leases.has(bytes)

/** Keeps own bytes from being overwritten until the returned function is called; undefined when they need no keeping. */
export const leaseBytes = (bytes: Buffer): (() => void) | undefined => {
  const lease = leases.get(bytes)
  if (lease === undefined) return undefined
  lease.writes++
  let isReleased = false
  return () => {
    if (isReleased) return
    isReleased = true
    lease.writes--
    if (lease.writes === 0 && lease.isRetired) giveBack(bytes)
  }
}

/** Chooses the buffer of one connection's next read. */
export class ReadBuffer {
  #own: Buffer | undefined

  /** After a read of `length` bytes: the buffer for the next one, or undefined for the same again. */
  next(length: number): Buffer | undefined {
    const own = this.#own
    if (own === undefined) {
      if (length < SIZE || leases.size >= MOST_OWN) return undefined
      this.#own = take()
      return this.#own
    }
    const lease = leases.get(own)
    if (length < STREAM_BELOW) {
      this.release()
      return sharedBuffer
    }
    if (lease === undefined || lease.writes === 0) return undefined
    lease.isRetired = true
    this.#own = leases.size < MOST_OWN ? take() : undefined
    return this.#own ?? sharedBuffer
  }

  /** The connection is closed or streams no more. */
  release(): void {
    const own = this.#own
    this.#own = undefined
    const lease = own && leases.get(own)
    if (own === undefined || lease === undefined) return
    lease.isRetired = true
    if (lease.writes === 0) giveBack(own)
  }
}

const take = (): Buffer => {
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(SIZE)
  leases.set(buffer, { writes: 0, isRetired: false })
  return buffer
}

const giveBack = (buffer: Buffer): void => {
  leases.delete(buffer)
  if (free.length < MOST_FREE) free.push(buffer)
}
