import { attributesFrom, type NetlinkMessage, parseAttributes, readText, readU32BE } from '../netlink/index.ts'
import { decodeFields, decodeRange } from './decode.ts'
import { type Shape, typesOfNumber } from './fields.ts'
import type { Chain, Hook, NamedSet, TableContents } from './objects.ts'
import { HOOKS } from './structure.ts'
import {
  CHAIN,
  CODE,
  DATA,
  DESCRIPTION,
  ELEMENT,
  ELEMENTS,
  HOOK,
  INTERVAL_END,
  RULE,
  SET,
  SET_FLAG,
  TABLE,
  TABLE_FLAG,
  VERDICT,
  VERDICT_TYPE,
} from './wire.ts'

/** `nfgenmsg`. */
const HEAD = 4

/** What is special about a table. */
export const parseTableFlags = ({ payload }: NetlinkMessage): Pick<TableContents, 'flags'> => {
  const fields = parseAttributes(payload, HEAD)
  const bits = numberIn(fields, TABLE.flags)
  const flags = (['owner', 'dormant'] as const).filter((flag) => (bits & TABLE_FLAG[flag]) !== 0)
  return flags.length === 0 ? {} : { flags }
}

/** A chain of a table. Fails on a message that lacks what every chain has. */
export const parseChain = ({ payload }: NetlinkMessage): Chain => {
  const fields = parseAttributes(payload, HEAD)
  const hook = fields.get(CHAIN.hook)
  const name = readText(needed(fields, CHAIN.name))
  return hook === undefined ? { name } : { name, hook: parseHook(hook, fields) }
}

const parseHook = (bytes: Buffer, chain: ReadonlyMap<number, Buffer>): Hook => {
  const fields = parseAttributes(bytes)
  const policy = chain.get(CHAIN.policy)
  return {
    // Another type than these is a foreign chain: it is told from ours by this text.
    type: readText(needed(chain, CHAIN.type)) as Hook['type'],
    hook: HOOKS[readU32BE(needed(fields, HOOK.number))] ?? 'prerouting',
    priority: needed(fields, HOOK.priority).readInt32BE(0),
    ...(policy !== undefined && readU32BE(policy) === CODE.drop ? { policy: 'drop' as const } : {}),
  }
}

/** The chain of a rule and its comment, empty where it has none. */
export const parseRule = ({ payload }: NetlinkMessage): { readonly chain: string; readonly comment: string } => {
  const fields = parseAttributes(payload, HEAD)
  const userdata = fields.get(RULE.userdata)
  return { chain: readText(needed(fields, RULE.chain)), comment: userdata === undefined ? '' : commentOf(userdata) }
}

/** Of nft's own notes in a rule (type, length, value) the first kind is the comment. */
const commentOf = (userdata: Buffer): string => {
  for (let at = 0; at + 2 <= userdata.length; at += 2 + (userdata[at + 1] ?? 0)) {
    if (userdata[at] === COMMENT) return readText(userdata.subarray(at + 2, at + 2 + (userdata[at + 1] ?? 0)))
  }
  return ''
}

const COMMENT = 0

/** A set or map, or undefined for one that only a rule has (`{ 1, 2 }`). Types that are not known here come out as numbers. */
export const parseSet = ({ payload }: NetlinkMessage): NamedSet | undefined => {
  const fields = parseAttributes(payload, HEAD)
  const flags = numberIn(fields, SET.flags)
  if ((flags & ANONYMOUS) !== 0) return undefined
  const known = (['interval', 'dynamic', 'timeout'] as const).filter((flag) => (flags & SET_FLAG[flag]) !== 0)
  const description = fields.get(SET.description)
  const size = description === undefined ? 0 : numberIn(parseAttributes(description), DESCRIPTION.size)
  return {
    name: readText(needed(fields, SET.name)),
    type: typesText(numberIn(fields, SET.keyType)),
    ...((flags & SET_FLAG.map) === 0 ? {} : { data: typesText(numberIn(fields, SET.dataType)) }),
    ...(known.length === 0 ? {} : { flags: known }),
    ...(size === 0 ? {} : { size }),
  }
}

const ANONYMOUS = 0x1

const typesText = (number: number): readonly string[] =>
  number === VERDICT_TYPE ? ['verdict'] : (typesOfNumber(number) ?? [`type ${number}`])

const numberIn = (fields: ReadonlyMap<number, Buffer>, type: number): number => {
  const value = fields.get(type)
  return value === undefined ? 0 : readU32BE(value)
}

const needed = (fields: ReadonlyMap<number, Buffer>, type: number): Buffer => {
  const value = fields.get(type)
  if (value === undefined) throw new Error(`nft: the kernel's answer lacks attribute ${type}`)
  return value
}

/**
 * Reads the elements of one set out of a dump. A hot path: attributes are walked in place. Call `finish` after the last message: intervals of
 * a single field come as starts and ends in no order.
 */
export class ElementReader {
  readonly elements = new Map<string, string>()
  readonly #shape: Shape
  readonly #pairs: { readonly bytes: Buffer; readonly isEnd: boolean; readonly value: string }[] = []
  /** Verdicts repeat: one text for all of them. */
  readonly #texts = new Map<string, string>()

  constructor(shape: Shape) {
    this.#shape = shape
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

  finish(): Map<string, string> {
    const { key: fields } = this.#shape
    const points = this.#pairs.sort((a, b) => Buffer.compare(a.bytes, b.bytes) || Number(b.isEnd) - Number(a.isEnd))
    for (const [index, { bytes, isEnd, value }] of points.entries()) {
      if (isEnd) continue
      const next = points[index + 1]?.bytes
      this.elements.set(decodeRange(fields, bytes, next === undefined ? Buffer.alloc(bytes.length, 0xff) : before(next)), value)
    }
    return this.elements
  }

  #element(list: Buffer, from: number, to: number): void {
    const { key, value: fields, interval, keyLength } = this.#shape
    let keyAt = -1
    let endAt = -1
    let value = ''
    let flags = 0
    for (let at = from; at + 4 <= to; ) {
      const length = list.readUInt16LE(at)
      if (length < 4) throw new Error('nft: an attribute of the kernel’s answer is cut off')
      const type = list.readUInt16LE(at + 2) & 0x3fff
      if (type === ELEMENT.key) keyAt = at + 8
      else if (type === ELEMENT.keyEnd) endAt = at + 8
      else if (type === ELEMENT.flags) flags = list.readUInt32BE(at + 4)
      else if (type === ELEMENT.data && fields !== undefined) {
        value = fields === 'verdict' ? this.#verdict(list.subarray(at + 4, at + length)) : decodeFields(fields, list, at + 8)
      }
      at += (length + 3) & ~3
    }
    if (keyAt < 0) return
    if (interval === 'none') this.elements.set(decodeFields(key, list, keyAt), value)
    else if (interval === 'pair') {
      this.#pairs.push({ bytes: list.subarray(keyAt, keyAt + keyLength), isEnd: (flags & INTERVAL_END) !== 0, value })
    } else {
      const start = list.subarray(keyAt, keyAt + keyLength)
      this.elements.set(decodeRange(key, start, endAt < 0 ? start : list.subarray(endAt, endAt + keyLength)), value)
    }
  }

  #verdict(data: Buffer): string {
    const bytes = data.toString('latin1')
    const known = this.#texts.get(bytes)
    if (known !== undefined) return known
    const text = verdictText(data)
    this.#texts.set(bytes, text)
    return text
  }
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
