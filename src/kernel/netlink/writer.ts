/**
 * Writes netlink messages into one growing buffer: nothing is allocated for an attribute, so that some hundred thousand elements a second can be encoded.
 * Headers are in the byte order of little-endian machines; integers inside of netfilter's attributes are big-endian (RFC 3549, linux/netlink.h).
 *
 * @example
 * const writer = new NetlinkWriter()
 * const message = writer.begin({ type: 0x0a0c, flags: FLAG.request, sequence: 1, family: 2 })
 * writer.text(1, 'fairway')
 * const nest = writer.open(3)
 * writer.u32be(1, 80)
 * writer.close(nest)
 * writer.end(message)
 * await socket.send(writer.written())
 */
export class NetlinkWriter {
  #bytes: Buffer
  #length = 0

  constructor(initialSize = 4096) {
    this.#bytes = Buffer.allocUnsafeSlow(initialSize)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  /** What was written: a view that the next `reset` and writing make invalid. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Starts again, in the same memory. */
  reset(): void {
    this.#length = 0
  }

  /** Forgets what was written after `length`, such as an element that did not fit a message. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length
  }

  /** Opens a message, with `nfgenmsg` when a family is given; gives what `end` wants. */
  begin({ type, flags, sequence, family, version = 0, resource = 0 }: MessageHead): number {
    const at = this.#length
    this.#reserve(20)
    const bytes = this.#bytes
    bytes.writeUInt16LE(type, at + 4)
    bytes.writeUInt16LE(flags, at + 6)
    bytes.writeUInt32LE(sequence, at + 8)
    bytes.writeUInt32LE(0, at + 12)
    this.#length += 16
    if (family === undefined) return at
    bytes[at + 16] = family
    bytes[at + 17] = version
    bytes.writeUInt16BE(resource, at + 18)
    this.#length += 4
    return at
  }

  /** Ends the message that began at `at`. */
  end(at: number): void {
    this.#bytes.writeUInt32LE(this.#length - at, at)
  }

  /** Opens a nested attribute; gives what `close` wants. */
  open(type: number): number {
    const at = this.#length
    this.#head(type | NESTED, 0)
    return at
  }

  /** Closes a nested attribute. Fails when it is longer than an attribute can say. */
  close(at: number): void {
    const length = this.#length - at
    if (length > LONGEST_ATTRIBUTE)
      throw new Error(`netlink: attribute of ${length} bytes is longer than ${LONGEST_ATTRIBUTE}; split it`)
    this.#bytes[at] = length & 0xff
    this.#bytes[at + 1] = length >>> 8
  }

  flag(type: number): void {
    this.#head(type, 0)
  }

  u8(type: number, value: number): void {
    const at = this.#head(type, 1)
    this.#bytes[at] = value
  }

  u16be(type: number, value: number): void {
    const at = this.#head(type, 2)
    this.#bytes[at] = value >>> 8
    this.#bytes[at + 1] = value
  }

  u32be(type: number, value: number): void {
    const at = this.#head(type, 4)
    const bytes = this.#bytes
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
  }

  u64be(type: number, value: bigint): void {
    const at = this.#head(type, 8)
    this.#bytes.writeBigUInt64BE(value, at)
  }

  bytes(type: number, value: Uint8Array): void {
    const at = this.#head(type, value.length)
    this.#bytes.set(value, at)
  }

  /** The first `length` bytes of `source`. */
  copy(type: number, source: Uint8Array, length: number): void {
    const at = this.#head(type, length)
    const bytes = this.#bytes
    for (let index = 0; index < length; index++) bytes[at + index] = source[index] ?? 0
  }

  /** Text with the zero byte that the kernel wants at its end. ASCII only. */
  text(type: number, value: string): void {
    const at = this.#head(type, value.length + 1)
    this.#bytes.write(value, at, value.length, 'latin1')
    this.#bytes[at + value.length] = 0
  }

  /** Room for `length` bytes of payload as they are, without attribute header: gives the place where the caller puts them in {@link memory}. */
  raw(length: number): number {
    const at = this.#length
    this.#reserve(padded(length))
    this.#length += padded(length)
    this.#bytes.fill(0, at, this.#length)
    return at
  }

  /** As `bytes`, but the caller writes them itself, at the place that this gives in {@link memory}; they are zero until then. */
  room(type: number, length: number): number {
    const at = this.#head(type, length)
    this.#bytes.fill(0, at, at + length)
    return at
  }

  /** The buffer that `room` and `raw` point into; another one after anything was written. */
  get memory(): Buffer {
    return this.#bytes
  }

  /** Writes an attribute's header and zeroes its padding; gives the place of its payload. */
  #head(type: number, length: number): number {
    const at = this.#length
    const size = padded(4 + length)
    this.#reserve(size)
    const bytes = this.#bytes
    const end = at + size
    bytes[end - 1] = 0
    bytes[end - 2] = 0
    bytes[end - 3] = 0
    bytes[at] = (4 + length) & 0xff
    bytes[at + 1] = (4 + length) >>> 8
    bytes[at + 2] = type & 0xff
    bytes[at + 3] = type >>> 8
    this.#length = end
    return at + 4
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** Heads a message. */
export interface MessageHead {
  /** In netfilter: subsystem << 8 | message. */
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Of `nfgenmsg`; left out for protocols that have none. */
  readonly family?: number
  readonly version?: number
  readonly resource?: number
}

const NESTED = 0x8000
const LONGEST_ATTRIBUTE = 0xffff

const padded = (length: number): number => (length + 3) & ~3
