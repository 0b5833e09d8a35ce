import { decodeFields } from './decode.ts'
import type { ElementSet } from './element-set.ts'
import { FieldEncoder } from './encode.ts'
import type { Shape } from './fields.ts'

/**
 * An {@link ElementSet} over the kernel's own bytes: a hash table of records. What is wanted is encoded and compared as bytes, so that adopting
 * a table of hundreds of thousands of elements makes text of those only that differ.
 */
export class WireSet implements ElementSet {
  readonly #shape: Shape
  readonly #encoder = new FieldEncoder()
  readonly #stride: number
  #records: Uint8Array
  /** 1 where the record of this number was taken. */
  #taken: Uint8Array
  /** Number of a record + 1 by hash; 0 where there is none. Half of it at most is used. */
  #slots: Int32Array
  #count = 0
  #left = 0

  constructor(shape: Shape) {
    this.#shape = shape
    this.#stride = shape.keyLength + shape.valueLength
    this.#records = new Uint8Array(INITIAL * this.#stride)
    this.#taken = new Uint8Array(INITIAL)
    this.#slots = new Int32Array(INITIAL * 2)
  }

  get size(): number {
    return this.#left
  }

  /** Adds the element whose key and value are at these places; `valueAt` is negative where it has none. */
  add(bytes: Uint8Array, keyAt: number, valueAt: number): void {
    if (this.#count * 2 >= this.#slots.length) this.#grow()
    const { keyLength, valueLength } = this.#shape
    const at = this.#count * this.#stride
    for (let index = 0; index < keyLength; index++) this.#records[at + index] = bytes[keyAt + index] ?? 0
    if (valueAt >= 0)
      for (let index = 0; index < valueLength; index++) this.#records[at + keyLength + index] = bytes[valueAt + index] ?? 0
    this.#index(this.#count)
    this.#count++
    this.#left++
  }

  get(key: string): string | undefined {
    const record = this.#find(key)
    return record < 0 ? undefined : this.#valueOf(record)
  }

  take(key: string, value = ''): 'same' | 'changed' | 'missing' {
    const record = this.#find(key)
    if (record < 0) return 'missing'
    this.#taken[record] = 1
    this.#left--
    return this.#hasValue(record, value) ? 'same' : 'changed'
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    for (let record = 0; record < this.#count; record++) {
      if (this.#taken[record] === 1) continue
      yield [decodeFields(this.#shape.key, this.#records, record * this.#stride), this.#valueOf(record)]
    }
  }

  #valueOf(record: number): string {
    const { value, keyLength } = this.#shape
    return value === undefined || value === 'verdict' ? '' : decodeFields(value, this.#records, record * this.#stride + keyLength)
  }

  #hasValue(record: number, text: string): boolean {
    const { value, keyLength, valueLength } = this.#shape
    if (value === undefined || value === 'verdict') return text === ''
    try {
      this.#encoder.value(value, text)
    } catch {
      return false
    }
    const at = record * this.#stride + keyLength
    return isEqual(this.#records, at, { bytes: this.#encoder.start, length: valueLength })
  }

  /** The number of the record that is not taken; negative where there is none, or the text is no key of this set. */
  #find(key: string): number {
    try {
      this.#encoder.key(this.#shape, key)
    } catch {
      return -1
    }
    const { keyLength } = this.#shape
    const wanted = { bytes: this.#encoder.start, length: keyLength }
    const mask = this.#slots.length - 1
    for (let slot = hash(wanted.bytes, 0, keyLength) & mask; ; slot = (slot + 1) & mask) {
      const record = (this.#slots[slot] ?? 0) - 1
      if (record < 0) return -1
      if (isEqual(this.#records, record * this.#stride, wanted)) return this.#taken[record] === 1 ? -1 : record
    }
  }

  #index(record: number): void {
    const mask = this.#slots.length - 1
    let slot = hash(this.#records, record * this.#stride, this.#shape.keyLength) & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = record + 1
  }

  #grow(): void {
    const records = new Uint8Array(this.#records.length * 2)
    records.set(this.#records)
    this.#records = records
    const taken = new Uint8Array(this.#taken.length * 2)
    taken.set(this.#taken)
    this.#taken = taken
    this.#slots = new Int32Array(this.#slots.length * 2)
    for (let record = 0; record < this.#count; record++) this.#index(record)
  }
}

/** A power of two, as are all sizes of the hash table. */
const INITIAL = 1_024

const isEqual = (
  records: Uint8Array,
  at: number,
  { bytes, length }: { readonly bytes: Uint8Array; readonly length: number },
): boolean => {
  for (let index = 0; index < length; index++) if (records[at + index] !== bytes[index]) return false
  return true
}

/** FNV-1a, mixed so that the low bits depend on all bytes. */
const hash = (bytes: Uint8Array, at: number, length: number): number => {
  let result = 0x811c_9dc5
  for (let index = at; index < at + length; index++) result = Math.imul(result ^ (bytes[index] ?? 0), 0x0100_0193)
  return (result ^ (result >>> 15)) >>> 0
}
