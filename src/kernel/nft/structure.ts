import type { NetlinkWriter } from '../netlink/index.ts'
import { numberOfTypes, shapeOf } from './fields.ts'
import type { Chain, NamedSet } from './objects.ts'
import { CHAIN, CODE, DESCRIPTION, HOOK, MEMBER, SET, SET_FLAG, VERDICT_TYPE } from './wire.ts'

/** Writes what a set is. Fails for types that are not known here. `id` tells the sets of one batch apart. */
export const writeSet = (writer: NetlinkWriter, set: NamedSet, id: number): void => {
  const shape = shapeOf(set)
  if (shape === undefined) throw new Error(`nft: set ${set.name} has a type that is unknown here`)
  const { key, keyLength, value, valueLength, interval } = shape
  const flags = (set.flags ?? []).reduce((sum, flag) => sum | SET_FLAG[flag], value === undefined ? 0 : SET_FLAG.map)
  writer.text(SET.name, set.name)
  writer.u32be(SET.flags, interval === 'range' ? flags | SET_FLAG.concatenation : flags)
  writer.u32be(SET.keyType, numberOfTypes(key))
  writer.u32be(SET.keyLength, keyLength)
  if (value !== undefined) {
    writer.u32be(SET.dataType, value === 'verdict' ? VERDICT_TYPE : numberOfTypes(value))
    writer.u32be(SET.dataLength, valueLength)
  }
  writer.u32be(SET.id, id)
  if (set.size !== undefined || interval === 'range') {
    const description = writer.open(SET.description)
    if (set.size !== undefined) writer.u32be(DESCRIPTION.size, set.size)
    if (interval === 'range') writeFields(writer, key)
    writer.close(description)
  }
  writer.bytes(
    SET.userdata,
    Buffer.concat([byteOrder(0, key), ...(value === undefined || value === 'verdict' ? [] : [byteOrder(1, value)])]),
  )
}

const writeFields = (writer: NetlinkWriter, fields: readonly { readonly length: number }[]): void => {
  const list = writer.open(DESCRIPTION.fields)
  for (const { length } of fields) {
    const member = writer.open(MEMBER)
    writer.u32be(1, length)
    writer.close(member)
  }
  writer.close(list)
}

/** nft's own note in a set: of the key (0) or the data (1), in which order its bytes are, so that it can print them. */
const byteOrder = (kind: number, fields: readonly { readonly name: string }[]): Buffer => {
  const [first] = fields
  const isHost = first?.name === 'mark' || first?.name === 'classid'
  // A concatenation has none: each of its fields has its own.
  const order = fields.length > 1 ? 0 : isHost ? 1 : 2
  return Buffer.from([kind, 4, order, 0, 0, 0])
}

/** Writes what a chain is. */
export const writeChain = (writer: NetlinkWriter, { name, hook }: Chain): void => {
  writer.text(CHAIN.name, name)
  if (hook === undefined) return
  writer.text(CHAIN.type, hook.type)
  writer.u32be(CHAIN.policy, CODE.accept)
  const nest = writer.open(CHAIN.hook)
  writer.u32be(HOOK.number, HOOKS.indexOf(hook.hook))
  writer.u32be(HOOK.priority, hook.priority >>> 0)
  writer.close(nest)
}

/** `enum nf_inet_hooks`, in its order. */
export const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const
