/** A protobuf message as it grows: fields are appended in the order of the calls. */
export class ProtobufWriter {
  private readonly parts: Buffer[] = []

  /** A text; an empty or absent one is not written. */
  text(field: number, value: string | undefined): this {
    return value === undefined || value === '' ? this : this.bytes(field, Buffer.from(value))
  }

  texts(field: number, values: readonly string[] = []): this {
    for (const value of values) this.bytes(field, Buffer.from(value))
    return this
  }

  /** A nested message; an absent one is not written, an empty one is. */
  message(field: number, value: ProtobufWriter | undefined): this {
    return value === undefined ? this : this.bytes(field, value.finish())
  }

  messages(field: number, values: readonly ProtobufWriter[]): this {
    for (const value of values) this.message(field, value)
    return this
  }

  finish(): Buffer {
    return Buffer.concat(this.parts)
  }

  private bytes(field: number, value: Buffer): this {
    this.parts.push(varint(field * 8 + 2), varint(value.length), value)
    return this
  }
}

const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
