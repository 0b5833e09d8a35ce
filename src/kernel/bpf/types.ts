/**
 * The smallest BTF (kernel documentation, bpf/btf.rst) that socket storage can be made with: type 1 is a 32-bit integer, the key, and
 * type 2 an array of as many bytes as a value has.
 */
export const storageTypes = (valueSize: number): Buffer => {
  const names = Buffer.from('\0int\0u8\0value\0', 'latin1')
  const types = words([
    // int: name, kind 1, size; signed, 32 bits.
    [1, INT, 4, (1 << 24) | 32],
    // An array has neither name nor size of its own: element type, index type, count.
    [0, ARRAY, 0, U8, KEY_TYPE, valueSize],
    [5, INT, 1, 8],
  ])
  const head = Buffer.alloc(24)
  head.writeUInt16LE(0xeb9f, 0)
  head[2] = 1
  for (const [index, field] of [head.length, 0, types.length, types.length, names.length].entries()) {
    head.writeUInt32LE(field, 4 + index * 4)
  }
  return Buffer.concat([head, types, names])
}

export const KEY_TYPE = 1
export const VALUE_TYPE = 2
const U8 = 3
const INT = 1 << 24
const ARRAY = 3 << 24

const words = (rows: readonly (readonly number[])[]): Buffer => {
  const fields = rows.flat()
  const bytes = Buffer.alloc(fields.length * 4)
  for (const [index, field] of fields.entries()) bytes.writeUInt32LE(field >>> 0, index * 4)
  return bytes
}
