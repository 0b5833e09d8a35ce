import { type Arithmetic, type Condition, fp, HELPERS, type Instruction, type Register, type Width } from './instructions.ts'

/**
 * The bytes of a program for bpf(2). `mapOf` gives the file descriptor of a map by its name. Throws on what can only be a mistake of the
 * program's author: a label that is missing or there twice, a write to the frame pointer, a number that does not fit.
 */
export const assemble = (instructions: readonly Instruction[], mapOf: (name: string) => number): Buffer => {
  const places = placesOf(instructions)
  const bytes = Buffer.alloc(places.count * 8)
  let slot = 0
  const distance = (to: string): number => {
    const target = places.labels.get(to)
    if (target === undefined) throw new Error(`bpf: no label ${to}`)
    return target - slot - 1
  }
  for (const instruction of instructions) {
    for (const each of slotsOf(instruction, { distance, mapOf })) {
      write(bytes, slot, each)
      slot++
    }
  }
  return bytes
}

/** The maps that a program uses. */
export const mapsOf = (instructions: readonly Instruction[]): ReadonlySet<string> =>
  new Set(instructions.flatMap((each) => (each.kind === 'map' ? [each.map] : [])))

const placesOf = (instructions: readonly Instruction[]) => {
  const labels = new Map<string, number>()
  let count = 0
  for (const instruction of instructions) {
    if (instruction.kind === 'label') {
      if (labels.has(instruction.name)) throw new Error(`bpf: label ${instruction.name} is there twice`)
      labels.set(instruction.name, count)
    } else count += instruction.kind === 'constant' || instruction.kind === 'map' ? 2 : 1
  }
  return { labels, count }
}

/** 64 bits: the form of an instruction in memory. */
interface Slot {
  readonly opcode: number
  readonly to?: Register
  readonly from?: Register
  readonly offset?: number
  readonly immediate?: number
}

interface Names {
  readonly distance: (label: string) => number
  readonly mapOf: (name: string) => number
}

const CLASS = { LD: 0x00, LDX: 0x01, STX: 0x03, JMP: 0x05, ALU64: 0x07 } as const
const MODE_MEM = 0x60
const SOURCE_REGISTER = 0x08
/** In the source field of a 64-bit constant: it is a map's file descriptor. */
const PSEUDO_MAP_FD: Register = { register: 1 }
const WIDTHS: Readonly<Record<Width, number>> = { u32: 0x00, u16: 0x08, u8: 0x10, u64: 0x18 }
const ARITHMETIC: Readonly<Record<Arithmetic, number>> = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
}
const MOVE = 0xb0
const CONDITIONS: Readonly<Record<Condition, number>> = { eq: 0x10, gt: 0x20, ge: 0x30, set: 0x40, ne: 0x50, lt: 0xa0, le: 0xb0 }
const ALWAYS = 0x00
const CALL = 0x80
const EXIT = 0x90

const slotsOf = (instruction: Instruction, { distance, mapOf }: Names): readonly Slot[] => {
  switch (instruction.kind) {
    case 'label':
      return []
    case 'constant':
      return wide({ to: instruction.to }, instruction.value)
    case 'map':
      return wide({ to: instruction.to, from: PSEUDO_MAP_FD }, BigInt(mapOf(instruction.map)))
    case 'move':
      return [withOperand(CLASS.ALU64 | MOVE, instruction.value, { to: instruction.to })]
    case 'arithmetic':
      return [withOperand(CLASS.ALU64 | ARITHMETIC[instruction.op], instruction.value, { to: instruction.to })]
    case 'load': {
      const { base, offset } = instruction.from
      return [{ opcode: CLASS.LDX | MODE_MEM | WIDTHS[instruction.width], to: instruction.to, from: base, offset }]
    }
    case 'store': {
      const { base, offset } = instruction.to
      return [{ opcode: CLASS.STX | MODE_MEM | WIDTHS[instruction.width], to: base, from: instruction.value, offset }]
    }
    case 'jump':
      return [{ opcode: CLASS.JMP | ALWAYS, offset: distance(instruction.to) }]
    case 'branch': {
      const fields = { to: instruction.left, offset: distance(instruction.to) }
      return [withOperand(CLASS.JMP | CONDITIONS[instruction.condition], instruction.right, fields)]
    }
    case 'call':
      return [{ opcode: CLASS.JMP | CALL, immediate: HELPERS[instruction.helper] }]
    case 'exit':
      return [{ opcode: CLASS.JMP | EXIT }]
    default:
      return instruction satisfies never
  }
}

const withOperand = (opcode: number, value: Register | number, fields: Omit<Slot, 'opcode'>): Slot =>
  typeof value === 'number'
    ? { ...fields, opcode, immediate: value }
    : { ...fields, opcode: opcode | SOURCE_REGISTER, from: value }

/** 64 bits over two slots. */
const wide = (fields: Omit<Slot, 'opcode'>, value: bigint): readonly Slot[] => [
  { ...fields, opcode: CLASS.LD | WIDTHS.u64, immediate: Number(BigInt.asIntN(32, value)) },
  { opcode: 0, immediate: Number(BigInt.asIntN(32, value >> 32n)) },
]

const write = (bytes: Buffer, slot: number, { opcode, to, from, offset = 0, immediate = 0 }: Slot): void => {
  const isStore = (opcode & 0x07) === CLASS.STX
  const isComparison = (opcode & 0x07) === CLASS.JMP
  if (to === fp && !isStore && !isComparison) throw new Error('bpf: the frame pointer cannot be written')
  const at = slot * 8
  bytes[at] = opcode
  bytes[at + 1] = (to?.register ?? 0) | ((from?.register ?? 0) << 4)
  // Both throw when the number does not fit.
  bytes.writeInt16LE(offset, at + 2)
  bytes.writeInt32LE(immediate, at + 4)
}
