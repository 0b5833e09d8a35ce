/** An attribute of a message; `value` is a view. */
export interface Attribute {
  readonly type: number
  readonly value: Buffer
}

/**
 * The attributes of a payload from `from` on (4 after `nfgenmsg`), by type; of several of one type the last. Nested ones: call it on the value.
 * Fails on one that is cut off.
 */
export const parseAttributes = (payload: Buffer, from = 0): ReadonlyMap<number, Buffer> => {
  const attributes = new Map<number, Buffer>()
  for (const { type, value } of attributesFrom(payload, from)) attributes.set(type, value)
  return attributes
}

/** All attributes in their order: for lists, whose members are of one type. */
export const attributesFrom = (payload: Buffer, from = 0): readonly Attribute[] => {
  const attributes: Attribute[] = []
  for (let at = from; at + HEAD <= payload.length; ) {
    const length = payload.readUInt16LE(at)
    if (length < HEAD || at + length > payload.length) {
      throw new Error(`netlink: attribute of ${length} bytes at ${at} does not fit its payload of ${payload.length}`)
    }
    attributes.push({ type: payload.readUInt16LE(at + 2) & TYPE_MASK, value: payload.subarray(at + HEAD, at + length) })
    at += (length + 3) & ~3
  }
  return attributes
}

const HEAD = 4
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff

/** Text up to its zero byte. */
export const readText = (value: Buffer): string => {
  const end = value.indexOf(0)
  return value.toString('latin1', 0, end === -1 ? value.length : end)
}

export const readU16BE = (value: Buffer): number => value.readUInt16BE(0)
export const readU32BE = (value: Buffer): number => value.readUInt32BE(0)
export const readU64BE = (value: Buffer): bigint => value.readBigUInt64BE(0)
