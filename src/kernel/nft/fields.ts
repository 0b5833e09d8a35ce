import type { NamedSet } from './objects.ts'

/** One part of a key or value: how nft names and numbers its type, and how many bytes it has. */
export interface Field {
  readonly name: FieldName
  /** `enum datatypes` of nft, kept in the set's key type so that `nft list` can print it. */
  readonly id: number
  readonly length: number
}

type FieldName = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'mark' | 'classid'

/** How elements of a set look on the wire. */
export interface Shape {
  readonly key: readonly Field[]
  readonly keyLength: number
  readonly value: readonly Field[] | 'verdict' | undefined
  readonly valueLength: number
  /** `pair`: a start and an end element (rbtree); `range`: one element with a second key (pipapo). */
  readonly interval: 'none' | 'pair' | 'range'
}

/** The shape of a set, or undefined where it has a type that is not known here. */
export const shapeOf = ({ type, data, flags = [] }: NamedSet): Shape | undefined => {
  const key = fieldsOf(type)
  const isVerdict = data?.length === 1 && data[0] === 'verdict'
  const value = data === undefined ? undefined : isVerdict ? 'verdict' : fieldsOf(data)
  if (key === undefined || (data !== undefined && value === undefined)) return undefined
  const interval = !flags.includes('interval') ? 'none' : key.length > 1 ? 'range' : 'pair'
  const valueLength = value === undefined || value === 'verdict' ? 0 : lengthOf(value)
  return { key, keyLength: lengthOf(key), value, valueLength, interval }
}

/** Numbers and lengths as in nft's datatype.h; addresses, protocols and ports are big-endian, the rest is in the machine's order. */
const FIELDS: readonly Field[] = [
  { name: 'ipv4_addr', id: 7, length: 4 },
  { name: 'ipv6_addr', id: 8, length: 16 },
  { name: 'inet_proto', id: 12, length: 1 },
  { name: 'inet_service', id: 13, length: 2 },
  { name: 'mark', id: 19, length: 4 },
  { name: 'classid', id: 23, length: 4 },
]
const BY_NAME = new Map<string, Field>(FIELDS.map((field) => [field.name, field]))
const BY_ID = new Map(FIELDS.map((field) => [field.id, field]))

const fieldsOf = (names: readonly string[]): readonly Field[] | undefined => {
  const fields = names.map((name) => BY_NAME.get(name))
  return fields.every((field) => field !== undefined) ? fields : undefined
}

/** Fields of a concatenation fill whole registers of 4 bytes; a single one does not. */
const lengthOf = (fields: readonly Field[]): number =>
  fields.length === 1 ? (fields[0]?.length ?? 0) : fields.reduce((sum, { length }) => sum + ((length + 3) & ~3), 0)

/** nft numbers a concatenation by 6 bits for each field. */
const TYPE_BITS = 6

/** The types behind the number that a set's key or data has; undefined when one is unknown. */
export const typesOfNumber = (number: number): readonly string[] | undefined => {
  const names: string[] = []
  for (let rest = number; rest !== 0; rest >>>= TYPE_BITS) {
    const field = BY_ID.get(rest & ((1 << TYPE_BITS) - 1))
    if (field === undefined) return undefined
    names.unshift(field.name)
  }
  return names.length === 0 ? undefined : names
}

export const numberOfTypes = (fields: readonly Field[]): number => fields.reduce((sum, { id }) => (sum << TYPE_BITS) | id, 0)
