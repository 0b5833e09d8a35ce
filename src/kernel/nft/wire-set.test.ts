import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ElementSet, textSet } from './element-set.ts'
import { FieldEncoder } from './encode.ts'
import { type Shape, shapeOf } from './fields.ts'
import { WireSet } from './wire-set.ts'

const shape = shapeOf({ name: 's', type: ['ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] })

const wireSet = (form: Shape, members: ReadonlyMap<string, string>): ElementSet => {
  const set = new WireSet(form)
  const encoder = new FieldEncoder()
  for (const [key, value] of members) {
    const length = encoder.key(form, key)
    const bytes = Buffer.alloc(64)
    bytes.set(encoder.start.subarray(0, length))
    if (form.value !== undefined && form.value !== 'verdict') encoder.value(form.value, value)
    bytes.set(encoder.start.subarray(0, form.valueLength), 32)
    set.add(bytes, 0, form.valueLength === 0 ? -1 : 32)
  }
  return set
}

describe('a set over the bytes of the kernel', () => {
  it('does what one over text does, whatever is asked of it', () => {
    if (shape === undefined) throw new Error('no shape')
    const text = fc.tuple(fc.nat(3_000), fc.nat(1)).map(([low, port]) => `10.0.${low >> 8}.${low & 255} . ${port}`)
    const members = fc.array(fc.tuple(text, text), { maxLength: 5_000, size: 'max' }).map((entries) => new Map(entries))
    const question = fc.oneof(
      fc.record({ kind: fc.constant('get' as const), key: text, value: text }),
      fc.record({ kind: fc.constant('take' as const), key: text, value: text }),
    )
    fc.assert(
      fc.property(members, fc.array(question, { maxLength: 60 }), (all, questions) => {
        const [wire, plain] = [wireSet(shape, all), textSet(new Map(all))]
        for (const { kind, key, value } of questions) {
          // The value that it has, as often as another one.
          const asked = kind === 'take' && key.endsWith('1') ? (all.get(key) ?? value) : value
          if (kind === 'get') expect(wire.get(key)).toBe(plain.get(key))
          else expect(wire.take(key, asked)).toBe(plain.take(key, asked))
        }
        expect(wire.size).toBe(plain.size)
        expect([...wire].sort()).toEqual([...plain].sort())
      }),
      { numRuns: 40 },
    )
  })
  it('has members without values, and none of text that is no key', () => {
    const members = shapeOf({ name: 's', type: ['ipv4_addr'] })
    if (members === undefined) throw new Error('no shape')
    const set = wireSet(members, new Map([['10.0.0.1', '']]))
    expect([set.get('10.0.0.1'), set.get('nowhere'), set.take('10.0.0')]).toEqual(['', undefined, 'missing'])
    expect([set.take('10.0.0.1'), set.take('10.0.0.1'), set.size]).toEqual(['same', 'missing', 0])
  })
})
