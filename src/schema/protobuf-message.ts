import { ProtobufError, WireReader } from './protobuf-wire.ts'
import { microTimeOf, timeOfSeconds } from './scalar-text.ts'
import type { ListNode, Node, ObjectNode, ScalarNode } from './schema.ts'

/** Values of one message; two bytes can make an object, so the bytes alone don't bound the memory. */
const maxValues = 500_000
const maxDepth = 100

type Out = Record<string, unknown>

/** The fields of a message, as JSON would have them, zero values included. Throws a ProtobufError. */
export const decodeMessage = (node: Node, bytes: Uint8Array): Out => {
  const object = resolved(node)
  if (object.kind !== 'object') throw new ProtobufError('only a message can be decoded')
  const out: Out = {}
  readMessage({ node: object, out }, bytes, { values: 0, depth: 0 })
  return out
}

interface Budget {
  values: number
  depth: number
}

const spend = (budget: Budget, values: number): void => {
  budget.values += values
  if (budget.values > maxValues) throw new ProtobufError('the message has too many values')
}

interface Place {
  readonly node: ObjectNode
  readonly out: Out
}

type Slot =
  | { readonly kind: 'field'; readonly key: string; readonly node: Node }
  /** Nested on the wire, flattened in JSON. */
  | { readonly kind: 'embed'; readonly node: ObjectNode }

const slotTables = new WeakMap<ObjectNode, ReadonlyMap<number, Slot>>()

const slotsOf = (node: ObjectNode): ReadonlyMap<number, Slot> => {
  const known = slotTables.get(node)
  if (known !== undefined) return known
  const slots = new Map<number, Slot>()
  for (const [key, field] of Object.entries(node.fields)) {
    if (field.number !== undefined) slots.set(field.number, { kind: 'field', key, node: field.node })
  }
  for (const embedded of node.embeds) slots.set(embedded.number, { kind: 'embed', node: embedded.node })
  slotTables.set(node, slots)
  return slots
}

const readMessage = ({ node, out }: Place, bytes: Uint8Array, budget: Budget): void => {
  if (++budget.depth > maxDepth) throw new ProtobufError('messages are nested too deeply')
  const slots = slotsOf(node)
  const reader = new WireReader(bytes)
  while (reader.next()) {
    spend(budget, 1)
    const slot = slots.get(reader.field)
    if (slot === undefined) reader.skip()
    else if (slot.kind === 'embed') readMessage({ node: slot.node, out }, reader.bytes(), budget)
    else readField({ key: slot.key, node: resolved(slot.node), out }, reader, budget)
  }
  budget.depth--
}

interface FieldPlace {
  readonly key: string
  readonly node: Exclude<Node, { kind: 'lazy' }>
  readonly out: Out
}

const readField = ({ key, node, out }: FieldPlace, reader: WireReader, budget: Budget): void => {
  switch (node.kind) {
    case 'list':
      appendTo(out, key, readItems(node, reader, budget))
      return
    case 'map': {
      const entries = objectAt(out, key)
      readEntry(entries, resolved(node.values), { bytes: reader.bytes(), budget })
      return
    }
    case 'object': {
      // A message that comes twice is merged, as protobuf prescribes.
      readMessage({ node, out: objectAt(out, key) }, reader.bytes(), budget)
      return
    }
    default: {
      const value = readScalar(node, reader)
      if (value !== undefined) out[key] = value
    }
  }
}

const objectAt = (out: Out, key: string): Out => {
  const existing = out[key]
  if (typeof existing === 'object' && existing !== null && !Array.isArray(existing)) return existing as Out
  const made: Out = {}
  out[key] = made
  return made
}

const appendTo = (out: Out, key: string, items: readonly unknown[]): void => {
  const existing = out[key]
  if (!Array.isArray(existing)) out[key] = [...items]
  else for (const item of items) existing.push(item)
}

const readItems = (list: ListNode, reader: WireReader, budget: Budget): readonly unknown[] => {
  const node = resolved(list.items)
  if ((node.kind === 'integer' || node.kind === 'boolean') && reader.isLengthDelimited) {
    const values = reader.packedIntegers()
    spend(budget, values.length)
    return node.kind === 'boolean' ? values.map((value) => value !== 0) : values
  }
  return [readValue(node, reader, budget)]
}

const readValue = (node: Exclude<Node, { kind: 'lazy' }>, reader: WireReader, budget: Budget): unknown => {
  switch (node.kind) {
    case 'object': {
      const out: Out = {}
      readMessage({ node, out }, reader.bytes(), budget)
      return out
    }
    case 'list': {
      // A list in a list or a map is a message with the items in field 1 (such as ExtraValue).
      const items: unknown[] = []
      const inner = new WireReader(reader.bytes())
      while (inner.next()) {
        spend(budget, 1)
        if (inner.field === 1) for (const item of readItems(node, inner, budget)) items.push(item)
        else inner.skip()
      }
      return items
    }
    case 'map':
      throw new ProtobufError('a map stands where protobuf has none')
    default:
      return readScalar(node, reader)
  }
}

interface EntrySource {
  readonly bytes: Uint8Array
  readonly budget: Budget
}

const readEntry = (entries: Out, node: Exclude<Node, { kind: 'lazy' }>, { bytes, budget }: EntrySource): void => {
  const reader = new WireReader(bytes)
  let key = ''
  let value: unknown
  while (reader.next()) {
    if (reader.field === 1) key = reader.text()
    else if (reader.field === 2) value = readValue(node, reader, budget)
    else reader.skip()
  }
  // `__proto__` is a legal key of a ConfigMap; checkStructure gives absent values their zero.
  Object.defineProperty(entries, key, { value: value ?? null, enumerable: true, configurable: true, writable: true })
}

const readScalar = (node: ScalarNode, reader: WireReader): unknown => {
  switch (node.kind) {
    case 'string':
      return readString(node.format, reader)
    case 'boolean':
      return reader.integer() !== 0
    case 'integer':
      return node.bits === 32 ? Number(BigInt.asIntN(32, BigInt(reader.integer()))) : reader.integer()
    case 'number':
      return reader.double()
    case 'intOrString':
      return readIntOrString(new WireReader(reader.bytes()))
    case 'any':
      return readRawJson(reader)
    default:
      return node satisfies never
  }
}

const readString = (format: 'byte' | 'date-time' | 'micro-time' | 'quantity' | undefined, reader: WireReader): unknown => {
  switch (format) {
    case undefined:
      return reader.text()
    case 'byte':
      return Buffer.from(reader.bytes()).toString('base64')
    case 'quantity':
      return readFirstText(new WireReader(reader.bytes()))
    case 'date-time':
    case 'micro-time':
      return readTime(format, new WireReader(reader.bytes()))
    default:
      return format satisfies never
  }
}

/** Time and MicroTime are `{1: seconds, 2: nanoseconds}`; an empty message is "no time". */
const readTime = (format: 'date-time' | 'micro-time', reader: WireReader): string | undefined => {
  let seconds: number | undefined
  let nanos = 0
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.integer()
    else if (reader.field === 2) nanos = reader.integer()
    else reader.skip()
  }
  if (seconds === undefined) return undefined
  const text = format === 'date-time' ? timeOfSeconds(seconds) : microTimeOf(seconds, nanos)
  if (text === undefined) throw new ProtobufError('a time lies outside of the years 0 to 9999')
  return text
}

/** `{1: type (0 number, 1 text), 2: number, 3: text}`. */
const readIntOrString = (reader: WireReader): number | string => {
  let isText = false
  let number = 0
  let text = ''
  while (reader.next()) {
    if (reader.field === 1) isText = reader.integer() === 1
    else if (reader.field === 2) number = reader.integer()
    else if (reader.field === 3) text = reader.text()
    else reader.skip()
  }
  return isText ? text : number
}

/** A Quantity is `{1: text}`. */
const readFirstText = (reader: WireReader): string | undefined => {
  let text: string | undefined
  while (reader.next()) {
    if (reader.field === 1) text = reader.text()
    else reader.skip()
  }
  return text === '' ? undefined : text
}

/** FieldsV1 and RawExtension are `{1: JSON}`. A message that the schema leaves open for another reason is dropped. */
const readRawJson = (reader: WireReader): unknown => {
  if (!reader.isLengthDelimited) {
    reader.skip()
    return undefined
  }
  const inner = new WireReader(reader.bytes())
  let value: unknown
  while (inner.next()) {
    if (inner.field === 1 && inner.isLengthDelimited) value = parsedJson(inner.text())
    else inner.skip()
  }
  return value
}

const parsedJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const resolved = (node: Node): Exclude<Node, { kind: 'lazy' }> => (node.kind === 'lazy' ? resolved(node.resolve()) : node)
