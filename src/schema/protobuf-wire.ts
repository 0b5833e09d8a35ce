/** Bytes that are not the protobuf message that they should be. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

const varint = 0
const fixed64 = 1
const lengthDelimited = 2
const fixed32 = 5

/**
 * Reads the fields of one message in order: `while (reader.next())` and then exactly one of the value methods or `skip`.
 * Never reads beyond the end of its bytes; the slices that it returns share their memory.
 */
export class WireReader {
  /** The number of the field at which the reader stands. */
  field = 0
  private wireType = 0
  private at = 0
  private readonly source: Buffer

  constructor(bytes: Uint8Array) {
    this.source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.source.length) return false
    const tag = this.rawVarint()
    if (tag > 0xffffffffn) throw new ProtobufError('a field number is too large')
    this.field = Number(tag >> 3n)
    this.wireType = Number(tag & 7n)
    if (this.field === 0) throw new ProtobufError('a field has the number 0')
    return true
  }

  bytes(): Uint8Array {
    this.expect(lengthDelimited)
    return this.take(this.length())
  }

  text(): string {
    this.expect(lengthDelimited)
    const length = this.length()
    const start = this.at
    this.take(length)
    return this.source.toString('utf8', start, start + length)
  }

  /** An int32, int64 or bool field; beyond 2^53 with the loss of precision that JSON.parse has as well. */
  integer(): number {
    this.expect(varint)
    return Number(BigInt.asIntN(64, this.rawVarint()))
  }

  double(): number {
    this.expect(fixed64)
    const start = this.at
    this.take(8)
    return this.source.readDoubleLE(start)
  }

  /** Whether the field holds bytes: a text, a message, or a run of packed scalars. */
  get isLengthDelimited(): boolean {
    return this.wireType === lengthDelimited
  }

  /** The integers of a packed field. */
  packedIntegers(): number[] {
    const inner = new WireReader(this.bytes())
    const values: number[] = []
    while (inner.at < inner.source.length) values.push(Number(BigInt.asIntN(64, inner.rawVarint())))
    return values
  }

  skip(): void {
    switch (this.wireType) {
      case varint:
        this.rawVarint()
        return
      case fixed64:
        this.take(8)
        return
      case lengthDelimited:
        this.take(this.length())
        return
      case fixed32:
        this.take(4)
        return
      default:
        throw new ProtobufError(`field ${this.field} has the wire type ${this.wireType}`)
    }
  }

  private expect(wireType: number): void {
    if (this.wireType === wireType) return
    throw new ProtobufError(`field ${this.field} has the wire type ${this.wireType} in place of ${wireType}`)
  }

  private length(): number {
    const length = this.rawVarint()
    if (length > BigInt(this.source.length - this.at)) throw new ProtobufError(`field ${this.field} is longer than the message`)
    return Number(length)
  }

  private take(length: number): Uint8Array {
    if (length > this.source.length - this.at) throw new ProtobufError(`field ${this.field} is longer than the message`)
    this.at += length
    return this.source.subarray(this.at - length, this.at)
  }

  private rawVarint(): bigint {
    let small = 0
    let shift = 0
    // Up to 28 bits without BigInt: nearly all of them are tags, lengths and small numbers.
    while (shift < 28) {
      const byte = this.byte()
      small |= (byte & 0x7f) << shift
      if (byte < 0x80) return BigInt(small)
      shift += 7
    }
    let large = BigInt(small)
    while (shift < 70) {
      const byte = this.byte()
      large |= BigInt(byte & 0x7f) << BigInt(shift)
      if (byte < 0x80) return BigInt.asUintN(64, large)
      shift += 7
    }
    throw new ProtobufError('a number has more than 64 bits')
  }

  private byte(): number {
    const byte = this.source[this.at]
    if (byte === undefined) throw new ProtobufError('the message ends in the middle of a number')
    this.at++
    return byte
  }
}
