import type { Field, Shape } from './fields.ts'

/** The longest key: an IPv6 frontend with an IPv6 source. */
const ROOM = 64

/**
 * Turns the text of keys and values into bytes, field by field, without allocating: a full load has hundreds of thousands of them.
 * The bytes are in `start` (and, of intervals, the last ones in `end`) until the next call.
 */
export class FieldEncoder {
  readonly start: Uint8Array = new Uint8Array(ROOM)
  readonly end: Uint8Array = new Uint8Array(ROOM)
  #text = ''
  #at = 0

  /** Encodes `10.96.0.10 . tcp . 80`. Fails when the text does not fit the fields. */
  key({ key, keyLength, interval }: Shape, text: string): number {
    this.#fields(key, text, interval !== 'none')
    return keyLength
  }

  /** Encodes `10.1.1.1 . 8080`. Fails when the text does not fit the fields. */
  value(fields: readonly Field[], text: string): void {
    this.#fields(fields, text, false)
  }

  /** Turns `end` into the first address after the interval of a single field; false when there is none. */
  increment(length: number): boolean {
    for (let index = length - 1; index >= 0; index--) {
      const byte = ((this.end[index] ?? 0) + 1) & 0xff
      this.end[index] = byte
      if (byte !== 0) return true
    }
    return false
  }

  #fields(fields: readonly Field[], text: string, mayBeRange: boolean): void {
    this.#text = text
    this.#at = 0
    let to = 0
    for (let index = 0; index < fields.length; index++) {
      if (index > 0) this.#separator()
      const field = fields[index]
      if (field === undefined) break
      this.#field(field, to)
      const next = (to + field.length + 3) & ~3
      for (let pad = to + field.length; pad < next; pad++) this.start[pad] = 0
      if (mayBeRange) this.#range(field, to)
      to = next
    }
    if (this.#at !== text.length) throw this.#misfit()
  }

  #separator(): void {
    const text = this.#text
    const at = this.#at
    if (text.charCodeAt(at) !== SPACE || text.charCodeAt(at + 1) !== DOT || text.charCodeAt(at + 2) !== SPACE)
      throw this.#misfit()
    this.#at = at + 3
  }

  #field({ name }: Field, to: number): void {
    switch (name) {
      case 'ipv4_addr':
        this.#ipv4(to)
        return
      case 'ipv6_addr':
        this.#ipv6(to)
        return
      case 'inet_proto':
        this.#protocol(to)
        return
      case 'inet_service': {
        const port = this.#decimal(0xffff)
        this.start[to] = port >>> 8
        this.start[to + 1] = port
        return
      }
      case 'mark':
        this.#native(this.#decimal(0xffff_ffff), to)
        return
      case 'classid':
        this.#classId(to)
        return
      default:
        name satisfies never
    }
  }

  #ipv4(to: number): void {
    for (let index = 0; index < 4; index++) {
      if (index > 0 && this.#text.charCodeAt(this.#at++) !== DOT) throw this.#misfit()
      this.start[to + index] = this.#decimal(0xff)
    }
  }

  #ipv6(to: number): void {
    const { start } = this
    let group = 0
    /** Where `::` stands, in groups. */
    let gap = -1
    if (this.#isNext(COLON) && this.#text.charCodeAt(this.#at + 1) === COLON) {
      gap = 0
      this.#at += 2
    }
    while (group < 8 && hexDigit(this.#text.charCodeAt(this.#at)) >= 0) {
      const from = this.#at
      const value = this.#hex(0xffff)
      if (this.#isNext(DOT)) {
        this.#at = from
        this.#ipv4(to + group * 2)
        group += 2
        break
      }
      start[to + group * 2] = value >>> 8
      start[to + group * 2 + 1] = value
      group++
      if (!this.#isNext(COLON)) break
      this.#at++
      if (this.#isNext(COLON)) {
        if (gap >= 0) throw this.#misfit()
        gap = group
        this.#at++
      }
    }
    if (gap < 0 ? group !== 8 : group > 7) throw this.#misfit()
    if (gap < 0) return
    const zeros = (8 - group) * 2
    start.copyWithin(to + gap * 2 + zeros, to + gap * 2, to + group * 2)
    start.fill(0, to + gap * 2, to + gap * 2 + zeros)
  }

  #protocol(to: number): void {
    for (const [name, number] of PROTOCOLS) {
      if (this.#text.startsWith(name, this.#at)) {
        this.#at += name.length
        this.start[to] = number
        return
      }
    }
    this.start[to] = this.#decimal(0xff)
  }

  /** `0:1`, as tc writes it: two hexadecimal halves. */
  #classId(to: number): void {
    const major = this.#hex(0xffff)
    if (!this.#isNext(COLON)) throw this.#misfit()
    this.#at++
    this.#native(((major << 16) | this.#hex(0xffff)) >>> 0, to)
  }

  #native(number: number, to: number): void {
    const { start } = this
    start[to] = number
    start[to + 1] = number >>> 8
    start[to + 2] = number >>> 16
    start[to + 3] = number >>> 24
  }

  /** The end of the field's interval: of `10.0.0.0/8` the last address, of `10.0.0.1-10.0.0.3` the second, otherwise the field itself. */
  #range(field: Field, to: number): void {
    const { start, end } = this
    const { length } = field
    for (let index = to; index < ((to + length + 3) & ~3); index++) end[index] = start[index] ?? 0
    if (this.#isNext(DASH)) {
      this.#at++
      this.#field(field, to)
      for (let index = to; index < to + length; index++) {
        const last = start[index] ?? 0
        start[index] = end[index] ?? 0
        end[index] = last
      }
      return
    }
    if (!this.#isNext(SLASH)) return
    this.#at++
    const prefix = this.#decimal(length * 8)
    for (let index = 0; index < length; index++) {
      const hostBits = Math.min(8, Math.max(0, 8 * (index + 1) - prefix))
      const mask = (1 << hostBits) - 1
      start[to + index] = (start[to + index] ?? 0) & ~mask
      end[to + index] = (end[to + index] ?? 0) | mask
    }
  }

  #isNext(code: number): boolean {
    return this.#text.charCodeAt(this.#at) === code
  }

  #decimal(most: number): number {
    const text = this.#text
    const from = this.#at
    let value = 0
    for (let code = text.charCodeAt(this.#at); code >= ZERO && code <= NINE; code = text.charCodeAt(++this.#at)) {
      value = value * 10 + (code - ZERO)
    }
    if (this.#at === from || value > most) throw this.#misfit()
    return value
  }

  #hex(most: number): number {
    const text = this.#text
    const from = this.#at
    let value = 0
    for (let digit = hexDigit(text.charCodeAt(this.#at)); digit >= 0; digit = hexDigit(text.charCodeAt(++this.#at))) {
      value = value * 16 + digit
    }
    if (this.#at === from || value > most) throw this.#misfit()
    return value
  }

  #misfit(): Error {
    return new Error(`nft: ${JSON.stringify(this.#text.slice(0, 100))} does not fit its set`)
  }
}

const SPACE = 0x20
const DASH = 0x2d
const DOT = 0x2e
const SLASH = 0x2f
const COLON = 0x3a
const ZERO = 0x30
const NINE = 0x39

/** Names that nft prints instead of the number. */
export const PROTOCOLS: readonly (readonly [string, number])[] = [
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
]

/** -1 for what is none; NaN, after the end of the text, is none. */
const hexDigit = (code: number): number => {
  if (code >= ZERO && code <= NINE) return code - ZERO
  if (code >= 0x61 && code <= 0x66) return code - 0x61 + 10
  if (code >= 0x41 && code <= 0x46) return code - 0x41 + 10
  return -1
}
