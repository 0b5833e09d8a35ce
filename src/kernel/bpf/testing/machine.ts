import { bytesAt, isPointer, type Memory, type Pointer, stackMemory, type Word } from './memory.ts'

/** What a program finds around it. */
export interface Surroundings {
  readonly context: Memory
  /** By the number that stands for it in the program. */
  mapOf(number: number): Pointer
  /** A helper's answer. */
  call(helper: number, args: Arguments): Word
}

export interface Arguments {
  pointer(index: 1 | 2 | 3 | 4): Pointer
  number(index: 1 | 2 | 3 | 4): bigint
  bytes(index: 1 | 2 | 3 | 4, length: number): Buffer
}

/** No program of ours has a loop; a longer way is a mistake. */
const MAX_STEPS = 10_000

/**
 * Runs the bytes of a program and gives r0. As strict as the verifier is about what it meets on its way: a register or stack byte that was not
 * set, an access out of bounds, an address that may be null, an unknown instruction, a missing `exit` all throw.
 */
export const run = (program: Buffer, surroundings: Surroundings): bigint => {
  const state: State = {
    slots: slotsOf(program),
    surroundings,
    registers: new Array<Word | undefined>(11).fill(undefined),
    next: 0,
  }
  state.registers[1] = { memory: surroundings.context, offset: 0 }
  state.registers[10] = { memory: stackMemory(), offset: 0 }
  for (let step = 0; step < MAX_STEPS; step++) {
    const isDone = execute(state, slotAt(state))
    if (isDone) return number(get(state, 0), 'the result')
  }
  throw new Error('bpf: the program does not end')
}

interface State {
  readonly slots: readonly Slot[]
  readonly surroundings: Surroundings
  readonly registers: (Word | undefined)[]
  next: number
}

interface Slot {
  readonly opcode: number
  readonly to: number
  readonly from: number
  readonly offset: number
  readonly immediate: number
}

const slotAt = (state: State): Slot => {
  const slot = state.slots[state.next]
  if (slot === undefined) throw new Error('bpf: the program runs out of its end')
  state.next++
  return slot
}

/** Programs run often: each is read once. */
const read = new WeakMap<Buffer, readonly Slot[]>()

const slotsOf = (program: Buffer): readonly Slot[] => {
  const known = read.get(program)
  if (known !== undefined) return known
  const slots = Array.from({ length: program.length / 8 }, (_, index): Slot => {
    const at = index * 8
    const registers = program.readUInt8(at + 1)
    return {
      opcode: program.readUInt8(at),
      to: registers & 0x0f,
      from: registers >> 4,
      offset: program.readInt16LE(at + 2),
      immediate: program.readInt32LE(at + 4),
    }
  })
  read.set(program, slots)
  return slots
}

const WIDTHS: Readonly<Record<number, number>> = { 0: 4, 8: 2, 16: 1, 24: 8 }

/** Whether the program has ended. */
const execute = (state: State, slot: Slot): boolean => {
  const { opcode } = slot
  switch (opcode & 0x07) {
    case 0x00:
      loadConstant(state, slot)
      return false
    case 0x01:
      set(state, slot.to, readMemory(state, slot))
      return false
    case 0x03:
      writeMemory(state, slot)
      return false
    case 0x05:
      return branch(state, slot)
    case 0x07:
      set(state, slot.to, calculate(state, slot))
      return false
    default:
      throw new Error(`bpf: unknown opcode 0x${opcode.toString(16)}`)
  }
}

const loadConstant = (state: State, { opcode, to, from, immediate }: Slot): void => {
  if (opcode !== 0x18) throw new Error(`bpf: unknown opcode 0x${opcode.toString(16)}`)
  const high = slotAt(state)
  if (high.opcode !== 0) throw new Error('bpf: half a constant')
  if (from === 1) set(state, to, state.surroundings.mapOf(immediate))
  else set(state, to, (BigInt.asUintN(32, BigInt(high.immediate)) << 32n) | BigInt.asUintN(32, BigInt(immediate)))
}

const widthOf = ({ opcode }: Slot): number => {
  const width = WIDTHS[opcode & 0x18]
  if (width === undefined || (opcode & 0xe0) !== 0x60) throw new Error(`bpf: unknown opcode 0x${opcode.toString(16)}`)
  return width
}

const readMemory = (state: State, slot: Slot): Word => {
  const { memory, offset } = pointer(get(state, slot.from), `r${slot.from}`)
  return memory.read(offset + slot.offset, widthOf(slot))
}

const writeMemory = (state: State, slot: Slot): void => {
  const { memory, offset } = pointer(get(state, slot.to), `r${slot.to}`)
  memory.write(offset + slot.offset, widthOf(slot), get(state, slot.from))
}

const operand = (state: State, { opcode, from, immediate }: Slot): Word =>
  (opcode & 0x08) === 0 ? BigInt.asUintN(64, BigInt(immediate)) : get(state, from)

const calculate = (state: State, slot: Slot): Word => {
  const right = operand(state, slot)
  const operation = slot.opcode & 0xf0
  if (operation === 0xb0) return right
  const left = get(state, slot.to)
  if (isPointer(left)) {
    if (operation !== 0x00) throw new Error('bpf: only numbers are added to addresses')
    return { memory: left.memory, offset: left.offset + Number(BigInt.asIntN(64, number(right, 'what is added'))) }
  }
  return BigInt.asUintN(64, arithmetic(operation, left, number(right, 'an operand')))
}

const arithmetic = (operation: number, left: bigint, right: bigint): bigint => {
  switch (operation) {
    case 0x00:
      return left + right
    case 0x10:
      return left - right
    case 0x20:
      return left * right
    case 0x40:
      return left | right
    case 0x50:
      return left & right
    case 0x60:
      return left << (right & 63n)
    case 0x70:
      return left >> (right & 63n)
    case 0x90:
      return right === 0n ? left : left % right
    default:
      throw new Error(`bpf: unknown arithmetic 0x${operation.toString(16)}`)
  }
}

const branch = (state: State, slot: Slot): boolean => {
  switch (slot.opcode) {
    case 0x95:
      return true
    case 0x85:
      callHelper(state, slot.immediate)
      return false
    case 0x05:
      state.next += slot.offset
      return false
    default:
      if (holds(slot.opcode & 0xf0, get(state, slot.to), operand(state, slot))) state.next += slot.offset
      return false
  }
}

const holds = (condition: number, left: Word, right: Word): boolean => {
  if (isPointer(left)) {
    // The only question about an address is whether it is there.
    if (right !== 0n || (condition !== 0x10 && condition !== 0x50)) throw new Error('bpf: an address is compared')
    return condition === 0x50
  }
  const other = number(right, 'an operand')
  switch (condition) {
    case 0x10:
      return left === other
    case 0x20:
      return left > other
    case 0x30:
      return left >= other
    case 0x40:
      return (left & other) !== 0n
    case 0x50:
      return left !== other
    case 0xa0:
      return left < other
    case 0xb0:
      return left <= other
    default:
      throw new Error(`bpf: unknown condition 0x${condition.toString(16)}`)
  }
}

const callHelper = (state: State, helper: number): void => {
  const args: Arguments = {
    pointer: (index) => pointer(get(state, index), `argument ${index}`),
    number: (index) => number(get(state, index), `argument ${index}`),
    bytes: (index, length) => bytesAt(pointer(get(state, index), `argument ${index}`), length),
  }
  const result = state.surroundings.call(helper, args)
  for (let index = 1; index <= 5; index++) state.registers[index] = undefined
  set(state, 0, result)
}

const get = (state: State, register: number): Word => {
  const word = state.registers[register]
  if (word === undefined) throw new Error(`bpf: r${register} is read before it is set`)
  return word
}

const set = (state: State, register: number, word: Word): void => {
  if (register >= 10) throw new Error(`bpf: r${register} cannot be written`)
  state.registers[register] = word
}

const pointer = (word: Word, what: string): Pointer => {
  if (isPointer(word)) return word
  throw new Error(`bpf: ${what} is ${word}, not an address`)
}

const number = (word: Word, what: string): bigint => {
  if (isPointer(word)) throw new Error(`bpf: ${what} is an address of ${word.memory.name}`)
  return word
}
