import type { NetlinkWriter } from '../netlink/index.ts'
import { FieldEncoder } from './encode.ts'
import type { Shape } from './fields.ts'
import type { Element } from './objects.ts'
import { CODE, DATA, ELEMENT, INTERVAL_END, MEMBER, VERDICT } from './wire.ts'

/** Writes elements into the list of a message. A hot path: a full load has some hundred thousand. */
export class ElementEncoder {
  readonly #writer: NetlinkWriter
  readonly #fields = new FieldEncoder()

  constructor(writer: NetlinkWriter) {
    this.#writer = writer
  }

  /** Fails when the element does not fit the shape of its set. */
  element(shape: Shape, { key, value }: Element, withValue: boolean): void {
    const writer = this.#writer
    const fields = this.#fields
    if (value !== undefined && shape.value === undefined) throw new Error(`nft: ${key} has a value, but its set takes none`)
    const length = fields.key(shape, key)
    const member = writer.open(MEMBER)
    this.#bytes(ELEMENT.key, fields.start, length)
    if (shape.interval === 'range') this.#bytes(ELEMENT.keyEnd, fields.end, length)
    if (withValue && shape.value !== undefined) this.#value(shape, value ?? '')
    writer.close(member)
    if (shape.interval !== 'pair' || !fields.increment(length)) return
    const end = writer.open(MEMBER)
    this.#bytes(ELEMENT.key, fields.end, length)
    writer.u32be(ELEMENT.flags, INTERVAL_END)
    writer.close(end)
  }

  #bytes(type: number, bytes: Uint8Array, length: number): void {
    const nest = this.#writer.open(type)
    this.#writer.copy(DATA.value, bytes, length)
    this.#writer.close(nest)
  }

  #value({ value: fields, valueLength }: Shape, text: string): void {
    const writer = this.#writer
    if (fields === undefined) return
    if (fields === 'verdict') {
      const nest = writer.open(ELEMENT.data)
      this.#verdict(text)
      writer.close(nest)
      return
    }
    this.#fields.value(fields, text)
    this.#bytes(ELEMENT.data, this.#fields.start, valueLength)
  }

  #verdict(text: string): void {
    const writer = this.#writer
    const nest = writer.open(DATA.verdict)
    if (text.startsWith('goto ')) {
      writer.u32be(VERDICT.code, CODE.goto)
      writer.text(VERDICT.chain, text.slice(5))
    } else if (text.startsWith('jump ')) {
      writer.u32be(VERDICT.code, CODE.jump)
      writer.text(VERDICT.chain, text.slice(5))
    } else if (text === 'drop' || text === 'accept' || text === 'return') {
      writer.u32be(VERDICT.code, CODE[text])
    } else throw new Error(`nft: ${JSON.stringify(text.slice(0, 100))} is no verdict`)
    writer.close(nest)
  }
}
