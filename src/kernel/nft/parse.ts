import { type NetlinkMessage, parseAttributes, readText, readU32BE } from '../netlink/index.ts'
import { typesOfNumber } from './fields.ts'
import type { Chain, Hook, NamedSet, TableContents } from './objects.ts'
import { HOOKS } from './structure.ts'
import { CHAIN, CODE, DESCRIPTION, HOOK, RULE, SET, SET_FLAG, TABLE, TABLE_FLAG, VERDICT_TYPE } from './wire.ts'

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

/** An attribute that every such answer has. */
export const needed = (fields: ReadonlyMap<number, Buffer>, type: number): Buffer => {
  const value = fields.get(type)
  if (value === undefined) throw new Error(`nft: the kernel's answer lacks attribute ${type}`)
  return value
}
