import { attributesFrom, type NetlinkMessage, parseAttributes, readText, readU32BE } from '../netlink/index.ts'
import { decodeFields, decodeRange } from './decode.ts'
import { type ElementSet, textSet } from './element-set.ts'
import type { Shape } from './fields.ts'
import { needed } from './parse.ts'
import { CODE, DATA, ELEMENT, ELEMENTS, INTERVAL_END, VERDICT } from './wire.ts'
import { WireSet } from './wire-set.ts'

/** `nfgenmsg`. */
const HEAD = 4

/**
 * Reads the elements of one set out of a dump. A hot path: attributes are walked in place. Call `finish` after the last message: intervals of
 * a single field come as starts and ends in no order.
 */
export class ElementReader {
  readonly #shape: Shape
  /** Of all that has one length; intervals and verdicts are few and become text. */
  readonly #wire: WireSet | undefined
  readonly #texts = new Map<string, string>()
  readonly #pairs: { readonly bytes: Buffer; readonly isEnd: boolean; readonly value: string }[] = []

  constructor(shape: Shape) {
    this.#shape = shape
    this.#wire = shape.interval === 'none' && shape.value !== 'verdict' ? new WireSet(shape) : undefined
  }

  read({ payload }: NetlinkMessage): void {
    for (const { type, value: list } of attributesFrom(payload, HEAD)) {
      if (type !== ELEMENTS.list) continue
      for (let at = 0; at + 4 <= list.length; ) {
        const length = list.readUInt16LE(at)
        if (length < 4 || at + length > list.length) throw new Error('nft: an element of the kernel’s answer is cut off')
        this.#element(list, at + 4, at + length)
        at += (length + 3) & ~3
      }
    }
  }

  finish(): ElementSet {
    if (this.#wire !== undefined) return this.#wire
    const { key: fields } = this.#shape
    const points = this.#pairs.sort((a, b) => Buffer.compare(a.bytes, b.bytes) || Number(b.isEnd) - Number(a.isEnd))
    for (const [index, { bytes, isEnd, value }] of points.entries()) {
      if (isEnd) continue
      const next = points[index + 1]?.bytes
      this.#texts.set(decodeRange(fields, bytes, next === undefined ? Buffer.alloc(bytes.length, 0xff) : before(next)), value)
    }
    return textSet(this.#texts)
  }

  #element(list: Buffer, from: number, to: number): void {
    let keyAt = -1
    let endAt = -1
    let dataAt = -1
    let dataEnd = -1
    let flags = 0
    for (let at = from; at + 4 <= to; ) {
      const length = list.readUInt16LE(at)
      if (length < 4) throw new Error('nft: an attribute of the kernel’s answer is cut off')
      const type = list.readUInt16LE(at + 2) & 0x3fff
      if (type === ELEMENT.key) keyAt = at + 8
      else if (type === ELEMENT.keyEnd) endAt = at + 8
      else if (type === ELEMENT.flags) flags = list.readUInt32BE(at + 4)
      else if (type === ELEMENT.data) {
        dataAt = at + 8
        dataEnd = at + length
      }
      at += (length + 3) & ~3
    }
    if (keyAt < 0) return
    if (this.#wire !== undefined) this.#wire.add(list, keyAt, dataAt)
    else
      this.#text(list, {
        keyAt,
        endAt,
        isEnd: (flags & INTERVAL_END) !== 0,
        data: dataAt < 0 ? undefined : list.subarray(dataAt - 4, dataEnd),
      })
  }

  #text(list: Buffer, { keyAt, endAt, isEnd, data }: Found): void {
    const { key, value: fields, interval, keyLength } = this.#shape
    const value =
      data === undefined || fields === undefined ? '' : fields === 'verdict' ? verdictText(data) : decodeFields(fields, data, 4)
    const start = list.subarray(keyAt, keyAt + keyLength)
    if (interval === 'pair') this.#pairs.push({ bytes: start, isEnd, value })
    else if (interval === 'none') this.#texts.set(decodeFields(key, start, 0), value)
    else this.#texts.set(decodeRange(key, start, endAt < 0 ? start : list.subarray(endAt, endAt + keyLength)), value)
  }
}

interface Found {
  readonly keyAt: number
  readonly endAt: number
  readonly isEnd: boolean
  readonly data: Buffer | undefined
}

const verdictText = (data: Buffer): string => {
  const verdict = parseAttributes(needed(parseAttributes(data), DATA.verdict))
  const code = readU32BE(needed(verdict, VERDICT.code))
  const chain = verdict.get(VERDICT.chain)
  const name = chain === undefined ? '' : readText(chain)
  if (code === CODE.goto) return `goto ${name}`
  if (code === CODE.jump) return `jump ${name}`
  for (const word of ['drop', 'accept', 'return'] as const) if (code === CODE[word]) return word
  return `verdict ${code}`
}

/** The bytes of the number before. */
const before = (bytes: Buffer): Buffer => {
  const result = Buffer.from(bytes)
  for (let index = result.length - 1; index >= 0; index--) {
    const byte = result[index] ?? 0
    result[index] = (byte - 1) & 0xff
    if (byte !== 0) break
  }
  return result
}
