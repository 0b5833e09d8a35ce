import { describe, expect, it } from 'vitest'
import { assemble, mapsOf } from './assemble.ts'
import {
  arithmetic,
  at,
  call,
  constant,
  exit,
  fp,
  type Instruction,
  jump,
  label,
  load,
  mapAddress,
  move,
  r0,
  r1,
  r2,
  r6,
  r9,
  store,
  when,
} from './instructions.ts'

const noMaps = (): number => -1
const hex = (...instructions: readonly Instruction[]): string => assemble(instructions, noMaps).toString('hex')

describe('the bytes of an instruction', () => {
  // As `llvm-mc -triple bpfel -show-encoding` gives them.
  it.each<[string, Instruction, string]>([
    ['r0 = 1', move(r0, 1), 'b700000001000000'],
    ['r6 = r1', move(r6, r1), 'bf16000000000000'],
    ['r2 += -24', arithmetic(r2, 'add', -24), '07020000e8ffffff'],
    ['r0 %= r1', arithmetic(r0, 'mod', r1), '9f10000000000000'],
    ['r1 *= 40', arithmetic(r1, 'mul', 40), '2701000028000000'],
    ['r9 >>= 2', arithmetic(r9, 'rsh', 2), '7709000002000000'],
    ['r1 = *(u32 *)(r6 + 4)', load('u32', r1, at(r6, 4)), '6161040000000000'],
    ['r2 = *(u16 *)(r10 - 8)', load('u16', r2, at(fp, -8)), '69a2f8ff00000000'],
    ['*(u64 *)(r10 - 16) = r1', store('u64', at(fp, -16), r1), '7b1af0ff00000000'],
    ['*(u8 *)(r6 + 1) = r2', store('u8', at(r6, 1), r2), '7326010000000000'],
    ['call 1', call('map_lookup_elem'), '8500000001000000'],
    ['exit', exit, '9500000000000000'],
    ['r1 = 0x123456789abcdef0 ll', constant(r1, 0x1234_5678_9abc_def0n), '18010000f0debc9a0000000078563412'],
  ])('%s', (_, instruction, bytes) => {
    expect(hex(instruction)).toBe(bytes)
  })
  it('names a map by its file descriptor', () => {
    expect(assemble([mapAddress(r1, 'services')], (name) => (name === 'services' ? 7 : -1)).toString('hex')).toBe(
      '18110000070000000000000000000000',
    )
  })
})

describe('labels', () => {
  it('become distances, over constants that take two places', () => {
    const program = [when(r0, 'eq', 0, 'out'), constant(r1, 1n), jump('out'), move(r0, 1), label('out'), exit]
    const [branch, , , jumped] = hex(...program).match(/.{16}/g) ?? []
    expect(branch).toBe('1500040000000000')
    expect(jumped).toBe('0500010000000000')
  })
  it.each<[string, readonly Instruction[], string]>([
    ['a label that is missing', [jump('nowhere')], 'no label nowhere'],
    ['a label that is there twice', [label('a'), label('a')], 'label a is there twice'],
    ['a write to the frame pointer', [move(fp, 1)], 'the frame pointer cannot be written'],
    ['a number that needs more than 32 bits', [move(r1, 2 ** 31)], 'out of range'],
    ['a place too far away', [load('u8', r1, at(r6, 40_000))], 'out of range'],
  ])('refuses %s', (_, program, message) => {
    expect(() => hex(...program)).toThrow(message)
  })
})

it('knows which maps a program uses', () => {
  expect(mapsOf([mapAddress(r1, 'a'), move(r0, 1), mapAddress(r2, 'b'), mapAddress(r1, 'a')])).toEqual(new Set(['a', 'b']))
})
