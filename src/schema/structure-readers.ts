import { isQuantity, normalBase64, normalMicroTime, normalTime } from './scalar-text.ts'
import type { FieldNode, LazyNode, ListNode, MapNode, Node, ObjectNode, ScalarNode } from './schema.ts'
import { jsonTypeName, maxDepth, type Walk } from './structure-walk.ts'

/** How a value of one node is read; undefined means "not there", after an error or for a zero value that is not written. */
export interface Reader {
  /** The type's name in Go. */
  readonly goType: string
  /** What Go has where nothing is set; undefined where that is not written. */
  zero(): unknown
  /** `value` is never null or undefined. */
  read(value: unknown, walk: Walk): unknown
}

const readers = new WeakMap<Node, Reader>()

/** The reader of a node, made at first use. */
export const reader = (node: Node): Reader => {
  const known = readers.get(node)
  if (known !== undefined) return known
  const made = makeReader(node)
  readers.set(node, made)
  return made
}

const makeReader = (node: Node): Reader => {
  switch (node.kind) {
    case 'object':
      return objectReader(node)
    case 'list':
      return listReader(node)
    case 'map':
      return mapReader(node)
    case 'lazy':
      return lazyReader(node)
    default:
      return scalarReader(node)
  }
}

type FieldReader = Reader & { omits(value: unknown): boolean }

const fieldReader = (field: FieldNode): FieldReader => ({
  ...reader(field.node),
  omits: field.required || field.pointer || !hasEmptyValue(field) ? () => false : isEmpty,
})

/** Go's `omitempty` leaves structs alone; a list or map that is always present stays, too. */
const hasEmptyValue = (field: FieldNode): boolean => {
  switch (field.node.kind) {
    case 'object':
    case 'lazy':
    case 'any':
      return false
    case 'list':
    case 'map':
      return !field.present
    default:
      return true
  }
}

const isEmpty = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return value === '' || value === 0 || value === false
  if (Array.isArray(value)) return value.length === 0
  for (const key in value) if (Object.hasOwn(value, key)) return false
  return true
}

const objectReader = (node: ObjectNode): Reader => {
  const fields = new Map<string, FieldReader>()
  const filled: [string, Reader][] = []
  const goType = `v1.${node.name}`
  for (const [key, field] of Object.entries(node.fields)) {
    const made = fieldReader(field)
    fields.set(key, made)
    if (isFilled(field)) filled.push([key, made])
  }
  return {
    goType,
    zero: () => fill({}, filled),
    read: (value, walk) => {
      if (!isRecord(value)) return walk.mismatch(value, goType)
      const outer = walk.message
      walk.message = node.name
      const out: Record<string, unknown> = {}
      for (const key of Object.keys(value)) {
        const field = fields.get(key)
        if (field === undefined) {
          if (node.open) setOwn(out, key, readAny(value[key], walk))
          else walk.unknown(key)
          continue
        }
        const found = value[key]
        if (found === null || found === undefined) continue
        walk.steps.push(key)
        walk.fields.push(key)
        const read = field.read(found, walk)
        walk.fields.pop()
        walk.steps.pop()
        if (read !== undefined && !field.omits(read)) out[key] = read
      }
      walk.message = outer
      return fill(out, filled)
    },
  }
}

/** What Go writes although nobody set it: required fields, and structs that are not pointers. */
const isFilled = (field: FieldNode): boolean =>
  field.required || (field.present && ['object', 'list', 'map'].includes(field.node.kind))

const fill = (out: Record<string, unknown>, filled: readonly (readonly [string, Reader])[]): Record<string, unknown> => {
  for (const [key, field] of filled) {
    if (Object.hasOwn(out, key)) continue
    const zero = field.zero()
    if (zero !== undefined) out[key] = zero
  }
  return out
}

const listReader = (node: ListNode): Reader => {
  const items = reader(node.items)
  const goType = `[]${items.goType}`
  return {
    goType,
    zero: () => [],
    read: (value, walk) => {
      if (!Array.isArray(value)) return walk.mismatch(value, goType)
      const out: unknown[] = []
      const depth = walk.steps.length
      for (let index = 0; index < value.length; index++) {
        const found: unknown = value[index]
        walk.steps[depth] = index
        out.push((found === null || found === undefined ? items.zero() : items.read(found, walk)) ?? null)
      }
      walk.steps.length = depth
      return out
    },
  }
}

const mapReader = (node: MapNode): Reader => {
  const values = reader(node.values)
  const goType = `map[string]${values.goType}`
  return {
    goType,
    zero: () => ({}),
    read: (value, walk) => {
      if (!isRecord(value)) return walk.mismatch(value, goType)
      const out: Record<string, unknown> = {}
      const depth = walk.steps.length
      for (const key of Object.keys(value)) {
        const found = value[key]
        walk.steps[depth] = key
        setOwn(out, key, (found === null || found === undefined ? values.zero() : values.read(found, walk)) ?? null)
      }
      walk.steps.length = depth
      return out
    },
  }
}

const lazyReader = (node: LazyNode): Reader => ({
  goType: `v1.${node.name}`,
  zero: () => ({}),
  read: (value, walk) =>
    walk.steps.length > maxDepth ? walk.fail('exceeded max depth') : reader(node.resolve()).read(value, walk),
})

const scalarReader = (node: ScalarNode): Reader => {
  switch (node.kind) {
    case 'string':
      return stringReaders[node.format ?? 'plain']
    case 'boolean':
      return booleanReader
    case 'integer':
      return node.bits === 32 ? int32Reader : int64Reader
    case 'number':
      return numberReader
    case 'intOrString':
      return intOrStringReader
    case 'any':
      return anyReader
    default:
      return node satisfies never
  }
}

const booleanReader: Reader = {
  goType: 'bool',
  zero: () => false,
  read: (value, walk) => (typeof value === 'boolean' ? value : walk.mismatch(value, 'bool')),
}

const numberReader: Reader = {
  goType: 'float64',
  zero: () => 0,
  read: (value, walk) => (typeof value === 'number' ? value : walk.mismatch(value, 'float64')),
}

const integerReader = (goType: string, limit: number): Reader => ({
  goType,
  zero: () => 0,
  read: (value, walk) => {
    if (typeof value !== 'number') return walk.mismatch(value, goType)
    // `+ 0` turns -0, which JSON can write, into 0. 2^63 itself is what JSON.parse makes of the greatest int64.
    if (Number.isInteger(value) && value >= -limit && (value < limit || (value === limit && goType === 'int64'))) return value + 0
    return walk.mismatch(value, goType)
  },
})

const int32Reader = integerReader('int32', 2 ** 31)
const int64Reader = integerReader('int64', 2 ** 63)

const intOrStringReader: Reader = {
  goType: 'intstr.IntOrString',
  zero: () => 0,
  read: (value, walk) => {
    if (typeof value === 'string') return value
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value + 0
    return walk.fail(`json: cannot unmarshal ${jsonTypeName(value, 'int32')} into Go value of type int32`)
  },
}

const anyReader: Reader = {
  goType: 'interface {}',
  zero: () => undefined,
  read: (value, walk) => readAny(value, walk),
}

const readAny = (value: unknown, walk: Walk): unknown =>
  isWithinDepth(value, maxDepth - walk.steps.length) ? value : walk.fail('exceeded max depth')

const isWithinDepth = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return true
  return depth > 0 && Object.values(value).every((inner) => isWithinDepth(inner, depth - 1))
}

const textReader = (
  goType: string,
  zero: string | undefined,
  normal: (text: string) => string | undefined,
  complaint: (text: string) => string,
): Reader => ({
  goType,
  zero: () => zero,
  read: (value, walk) => {
    if (typeof value !== 'string')
      return walk.fail(`json: cannot unmarshal ${jsonTypeName(value, goType)} into Go value of type string`)
    return normal(value) ?? walk.fail(complaint(shown(value)))
  },
})

const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text)

const stringReaders: Readonly<Record<'plain' | 'byte' | 'date-time' | 'micro-time' | 'quantity', Reader>> = {
  plain: {
    goType: 'string',
    zero: () => '',
    read: (value, walk) => (typeof value === 'string' ? value : walk.mismatch(value, 'string')),
  },
  byte: textReader('[]uint8', '', normalBase64, (text) => `illegal base64 data in ${text}`),
  'date-time': textReader(
    'v1.Time',
    undefined,
    normalTime,
    (text) => `parsing time ${text} as "2006-01-02T15:04:05Z07:00": not such a time`,
  ),
  'micro-time': textReader(
    'v1.MicroTime',
    undefined,
    normalMicroTime,
    (text) => `parsing time ${text} as "2006-01-02T15:04:05.000000Z07:00": not such a time`,
  ),
  quantity: {
    goType: 'resource.Quantity',
    zero: () => '0',
    read: (value, walk) => {
      const text = typeof value === 'number' ? String(value) : value
      if (typeof text === 'string' && isQuantity(text)) return text
      return walk.fail(`quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`)
    },
  },
}

/** Assigns an own property whatever its name: a plain assignment to `__proto__` would change the prototype. */
const setOwn = (out: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === '__proto__') Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true })
  else out[key] = value
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
