import { errorMessage } from '../../base/index.ts'
import { FLAG, type NetlinkWriter } from '../netlink/index.ts'
import { ElementEncoder } from './elements.ts'
import type { Shape } from './fields.ts'
import { type Chain, type Command, type Element, type NamedSet, RefusedElements, ruleMark, type Table } from './objects.ts'
import { writeRule } from './statements.ts'
import { writeChain, writeSet } from './structure.ts'
import { BATCH, CHAIN, ELEMENTS, FAMILY, MESSAGE, messageType, RULE, SET, SUBSYSTEM, TABLE } from './wire.ts'

export interface EncodedBatch {
  /** One datagram for the kernel, which does all of it or nothing. Valid until the writer is used again. */
  readonly bytes: Buffer
  /** What an error speaks of: the element or, in words, the object of the request `sequence`, at `offset` from its start. */
  subjectAt(sequence: number, offset: number): Element | string
}

export interface BatchTarget {
  readonly table: Table
  /** Fails for a set that is not known. */
  readonly shapeOf: (set: string) => Shape
  /** Number of the first message; the others follow. */
  readonly sequence: number
  /** The kernel is to check it but not do it. */
  readonly isCheck?: boolean
}

/** Encodes commands as one batch. Fails when an element does not fit its set or a rule is not understood; nothing is sent then. */
export const encodeBatch = (writer: NetlinkWriter, commands: readonly Command[], target: BatchTarget): EncodedBatch => {
  writer.reset()
  const batch = new BatchWriter(writer, target)
  batch.frame(BATCH.begin)
  for (const command of commands) batch.command(command)
  // A batch without end is checked and given up.
  if (target.isCheck !== true) batch.frame(BATCH.end)
  return { bytes: writer.written(), subjectAt: (sequence, offset) => batch.subjectAt(sequence, offset) }
}

/** By set: a message can change one. */
const bySet = (elements: readonly Element[]): ReadonlyMap<string, readonly Element[]> => {
  const sets = new Map<string, Element[]>()
  for (const element of elements) {
    const known = sets.get(element.set)
    if (known === undefined) sets.set(element.set, [element])
    else known.push(element)
  }
  return sets
}

/** A nested list can have 65,535 bytes; no element has more than the rest. */
const FULL_LIST = 65_000

class BatchWriter {
  readonly #writer: NetlinkWriter
  readonly #target: BatchTarget
  readonly #encoder: ElementEncoder
  /** Where each message begins, and what it is about. */
  readonly #messages: number[] = []
  readonly #subjects: string[] = []
  /** Where each element begins, and which it is. */
  readonly #places: number[] = []
  readonly #elements: Element[] = []

  constructor(writer: NetlinkWriter, target: BatchTarget) {
    this.#writer = writer
    this.#target = target
    this.#encoder = new ElementEncoder(writer)
  }

  frame(type: number): void {
    this.#note('the whole change')
    const sequence = this.#target.sequence + this.#messages.length - 1
    this.#writer.end(this.#writer.begin({ type, flags: FLAG.request, sequence, family: 0, resource: SUBSYSTEM }))
  }

  command(command: Command): void {
    switch (command.kind) {
      case 'add table':
        this.#table(MESSAGE.newTable)
        break
      case 'delete table':
        // Old kernels have no message for "if it is there".
        this.#table(MESSAGE.newTable)
        this.#table(MESSAGE.deleteTable)
        break
      case 'add set':
        this.#set(command.set)
        break
      case 'delete set':
        this.#object({ message: MESSAGE.deleteSet, subject: `set ${command.set}` }, SET.name, command.set)
        break
      case 'add chain':
        this.#chain(command.chain)
        break
      case 'delete chain':
        this.#object({ message: MESSAGE.deleteChain, subject: `chain ${command.chain}` }, CHAIN.name, command.chain)
        break
      case 'set rules':
        this.#object({ message: MESSAGE.deleteRule, subject: `chain ${command.chain}` }, RULE.chain, command.chain)
        for (const rule of command.rules) this.#rule(command.chain, rule)
        break
      case 'add elements':
      case 'delete elements':
        for (const [set, elements] of bySet(command.elements)) this.#change(command.kind, set, elements)
        break
      default:
        command satisfies never
    }
  }

  subjectAt(sequence: number, offset: number): Element | string {
    const index = sequence - this.#target.sequence
    const message = this.#messages[index]
    if (message === undefined) return 'the whole change'
    const at = message + offset
    let found = -1
    for (let low = 0, high = this.#places.length - 1; low <= high; ) {
      const middle = (low + high) >> 1
      if ((this.#places[middle] ?? 0) <= at) {
        found = middle
        low = middle + 1
      } else high = middle - 1
    }
    const element = this.#elements[found]
    const isOfMessage = element !== undefined && (this.#places[found] ?? 0) > message
    return isOfMessage ? element : (this.#subjects[index] ?? '')
  }

  #note(subject: string): void {
    this.#messages.push(this.#writer.length)
    this.#subjects.push(subject)
  }

  #table(message: number): void {
    this.#message({ message, flags: message === MESSAGE.newTable ? FLAG.create : 0, subject: 'the table' }, (writer) => {
      if (message === MESSAGE.newTable) writer.u32be(TABLE.flags, 0)
    })
  }

  #set(set: NamedSet): void {
    this.#message({ message: MESSAGE.newSet, flags: FLAG.create, subject: `set ${set.name}` }, (writer) =>
      writeSet(writer, set, this.#messages.length),
    )
  }

  #chain(chain: Chain): void {
    this.#message({ message: MESSAGE.newChain, flags: FLAG.create, subject: `chain ${chain.name}` }, (writer) =>
      writeChain(writer, chain),
    )
  }

  /** A message that only names something. */
  #object(head: Head, attribute: number, name: string): void {
    this.#message(head, (writer) => writer.text(attribute, name))
  }

  #rule(chain: string, rule: string): void {
    const { table } = this.#target
    const subject = `rule "${rule}" of chain ${chain}`
    this.#message({ message: MESSAGE.newRule, flags: FLAG.create | FLAG.append, subject }, (writer) => {
      writer.text(RULE.chain, chain)
      const expressions = writer.open(RULE.expressions)
      writeRule(writer, table.family, rule)
      writer.close(expressions)
      const mark = ruleMark(rule)
      // As nft notes comments: kind, length, text with its zero.
      writer.bytes(RULE.userdata, Buffer.from(`\0${String.fromCharCode(mark.length + 1)}${mark}\0`, 'latin1'))
    })
  }

  #message({ message, flags = 0, subject }: Head, write: (writer: NetlinkWriter) => void): void {
    const writer = this.#writer
    this.#note(subject)
    const at = writer.begin({
      type: messageType(message),
      flags: FLAG.request | flags,
      sequence: this.#target.sequence + this.#messages.length - 1,
      family: FAMILY[this.#target.table.family],
    })
    writer.text(TABLE.name, this.#target.table.name)
    write(writer)
    writer.end(at)
  }

  #change(kind: 'add elements' | 'delete elements', set: string, elements: readonly Element[]): void {
    const shape = this.#target.shapeOf(set)
    const isAdd = kind === 'add elements'
    const head = {
      message: isAdd ? MESSAGE.newElements : MESSAGE.deleteElements,
      flags: isAdd ? FLAG.create : 0,
      subject: `set ${set}`,
    }
    for (let index = 0; index < elements.length; ) {
      this.#message(head, (writer) => {
        writer.text(ELEMENTS.set, set)
        const list = writer.open(ELEMENTS.list)
        for (
          let element = elements[index];
          element !== undefined && writer.length - list < FULL_LIST;
          element = elements[++index]
        ) {
          this.#places.push(writer.length)
          this.#elements.push(element)
          this.#element(shape, element, isAdd)
        }
        writer.close(list)
      })
    }
  }

  #element(shape: Shape, element: Element, isAdd: boolean): void {
    try {
      this.#encoder.element(shape, element, isAdd)
    } catch (error) {
      throw new RefusedElements(this.#target.table, [{ element, code: 'EINVAL', reason: errorMessage(error) }])
    }
  }
}

interface Head {
  readonly message: number
  readonly flags?: number
  readonly subject: string
}
