import { describe, expect, it } from 'vitest'
import { assemble } from '../assemble.ts'
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
  move,
  r0,
  r1,
  r2,
  r3,
  r6,
  store,
  when,
} from '../instructions.ts'
import { run } from './machine.ts'
import { opaque, valueMemory } from './memory.ts'

const runAll = (...instructions: readonly Instruction[]): bigint =>
  run(
    assemble(instructions, () => 0),
    {
      context: valueMemory('context', Buffer.from('0102030405060708', 'hex')),
      mapOf: () => ({ memory: opaque('map'), offset: 0 }),
      call: () => 0n,
    },
  )

describe('a program in the machine', () => {
  it.each<[string, readonly Instruction[], bigint]>([
    ['moves and adds without a sign', [move(r0, -1), arithmetic(r0, 'add', 2), exit], 1n],
    ['takes the rest of a division', [move(r0, 17), arithmetic(r0, 'mod', 5), exit], 2n],
    ['shifts', [move(r0, 0b1100), arithmetic(r0, 'rsh', 2), exit], 3n],
    ['reads its context, little-endian', [load('u32', r0, at(r1, 4)), exit], 0x0807_0605n],
    [
      'keeps the low bytes of what it stores',
      [constant(r2, 0x1_0203n), store('u8', at(fp, -1), r2), load('u8', r0, at(fp, -1)), exit],
      3n,
    ],
    ['compares without a sign', [move(r0, 1), move(r1, -1), when(r1, 'gt', 5, 'out'), move(r0, 0), label('out'), exit], 1n],
    ['asks for bits', [move(r0, 1), move(r1, 6), when(r1, 'set', 4, 'out'), move(r0, 0), label('out'), exit], 1n],
    [
      'keeps an address on its stack',
      [store('u64', at(fp, -8), r1), load('u64', r2, at(fp, -8)), load('u8', r0, at(r2, 0)), exit],
      1n,
    ],
  ])('%s', (_, program, result) => {
    expect(runAll(...program)).toBe(result)
  })
  it.each<[string, readonly Instruction[], string]>([
    ['reads a register before it is set', [move(r0, r2), exit], 'r2 is read before it is set'],
    ['reads an argument after a call', [call('ktime_get_ns'), move(r0, r1), exit], 'r1 is read before it is set'],
    ['reads its stack before it is written', [load('u32', r0, at(fp, -4)), exit], 'stack: byte -4 is read before'],
    ['leaves its stack', [move(r2, 0), store('u32', at(fp, -516), r2), exit], 'stack: bytes -4'],
    ['reads past its context', [load('u32', r0, at(r1, 8)), exit], 'context: bytes 8 to 12 of 8'],
    ['is not aligned', [load('u32', r0, at(r1, 2)), exit], '4 bytes at 2 are not aligned'],
    [
      'follows an address that may be null',
      [call('map_lookup_elem'), load('u8', r0, at(r0, 0)), exit],
      'r0 is 0, not an address',
    ],
    ['gives an address', [move(r0, r1), exit], 'the result is an address'],
    ['lets an address leak', [store('u64', at(r1, 0), r1), move(r0, 1), exit], 'an address leaks'],
    ['multiplies an address', [arithmetic(r1, 'mul', 2), exit], 'only numbers are added to addresses'],
    ['has no end', [move(r0, 1), label('again'), jump('again')], 'does not end'],
    ['runs out of its end', [move(r0, 1)], 'runs out of its end'],
    ['writes half an address', [store('u32', at(fp, -4), r1), exit], 'half an address'],
    ['compares addresses', [move(r3, r1), when(r1, 'gt', r3, 'out'), label('out'), exit], 'an address is compared'],
  ])('fails when it %s', (_, program, message) => {
    expect(() => runAll(...program, move(r6, 0))).toThrow(message)
  })
})
