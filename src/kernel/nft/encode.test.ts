import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../ip/index.ts'
import { NetlinkWriter, parseMessages } from '../netlink/index.ts'
import { encodeBatch } from './batch.ts'
import { decodeFields, decodeRange } from './decode.ts'
import { ElementReader } from './element-reader.ts'
import { FieldEncoder } from './encode.ts'
import { numberOfTypes, type Shape, shapeOf, typesOfNumber } from './fields.ts'
import type { Element, RefusedElements } from './index.ts'

const ipv4 = fc.ipV4()
/** Canonical text of any bits, with many zeros so that `::` is tried at every place. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => formatAddress({ family: 'IPv6', value: groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) }))
const fields: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ipv4_addr: ipv4,
  ipv6_addr: ipv6,
  inet_proto: fc.oneof(fc.constantFrom('tcp', 'udp', 'sctp'), fc.constant('47')),
  inet_service: fc.nat(0xffff).map(String),
  mark: fc.integer({ min: 0, max: 0xffff_ffff }).map(String),
  classid: fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map((halves) => halves.map((half) => half.toString(16)).join(':')),
}
const types = fc.array(fc.constantFrom(...Object.keys(fields)), { minLength: 1, maxLength: 4 })
const typedText = types.chain((names) =>
  fc.tuple(...names.map((name) => fields[name] ?? fc.constant(''))).map((words) => ({ names, text: words.join(' . ') })),
)

const shape = (type: readonly string[], flags: readonly 'interval'[] = []): Shape => {
  const found = shapeOf({ name: 's', type, flags })
  if (found === undefined) throw new Error('no shape')
  return found
}

describe('fields', () => {
  it('come back as they were written, whatever their types', () => {
    fc.assert(
      fc.property(typedText, ({ names, text }) => {
        const encoder = new FieldEncoder()
        const form = shape(names)
        const length = encoder.key(form, text)
        expect(decodeFields(form.key, encoder.start, 0)).toBe(text)
        expect(length).toBe(form.keyLength)
      }),
      { numRuns: 500 },
    )
  })
  it('have the bytes that nft gives them', () => {
    const encoder = new FieldEncoder()
    const hex = (type: readonly string[], text: string) => {
      const length = encoder.key(shape(type), text)
      return Buffer.from(encoder.start.subarray(0, length)).toString('hex')
    }
    expect(hex(['ipv4_addr', 'inet_proto', 'inet_service', 'classid'], '10.96.0.10 . tcp . 80 . 0:1')).toBe(
      '0a60000a060000000050000001000000',
    )
    expect(hex(['inet_service'], '80')).toBe('0050')
    expect(hex(['mark', 'ipv6_addr'], '258 . fd00::1')).toBe(`02010000fd00${'0'.repeat(26)}01`)
  })
  it('name their types by the number that nft has for them', () => {
    const form = shape(['ipv4_addr', 'inet_proto', 'inet_service'])
    expect(numberOfTypes(form.key)).toBe(0x730d)
    expect(typesOfNumber(0x730d)).toEqual(['ipv4_addr', 'inet_proto', 'inet_service'])
    expect(typesOfNumber(0x3f)).toBeUndefined()
  })
  it.each([
    [['ipv4_addr'], '10.0.0'],
    [['ipv4_addr'], '10.0.0.256'],
    [['ipv4_addr'], '10.0.0.1 '],
    [['ipv4_addr', 'inet_service'], '10.0.0.1'],
    [['ipv4_addr'], '10.0.0.1 . 80'],
    [['ipv6_addr'], 'fd00::1::2'],
    [['ipv6_addr'], '1:2:3:4:5:6:7'],
    [['ipv6_addr'], '1:2:3:4:5:6:7::8'],
    [['ipv6_addr'], '12345::'],
    [['inet_proto'], 'icmp'],
    [['inet_service'], '65536'],
    [['inet_service'], ''],
    [['classid'], '1'],
    [['classid'], '1:fffff'],
  ])('of %j refuse %j', (type, text) => {
    expect(() => new FieldEncoder().key(shape(type), text)).toThrow('does not fit its set')
  })
})

describe('intervals', () => {
  it.each([
    [['ipv4_addr'], '10.1.0.0/16'],
    [['ipv4_addr'], '0.0.0.0/0'],
    [['ipv4_addr'], '10.0.0.1'],
    [['ipv4_addr'], '10.0.0.1-10.0.0.3'],
    [['ipv6_addr'], 'fd00::/63'],
    [['ipv4_addr', 'inet_service', 'ipv4_addr'], '10.0.0.1 . 80 . 192.0.2.0/25'],
  ])('of %j come back: %s', (type, text) => {
    const encoder = new FieldEncoder()
    const form = shape(type, ['interval'])
    const length = encoder.key(form, text)
    expect(decodeRange(form.key, encoder.start.subarray(0, length), encoder.end.subarray(0, length))).toBe(text)
  })
})

const target = (set: Shape) => ({ table: { family: 'ip', name: 't' } as const, shapeOf: () => set, sequence: 7 })

describe('a batch', () => {
  it('gives back to the reader what was written, in as many messages as it takes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<readonly 'interval'[]>([], ['interval']),
        fc.integer({ min: 1, max: 4_000 }),
        (flags, count) => {
          const form = shape(['ipv4_addr'], flags)
          const elements = Array.from({ length: count }, (_, index) => ({
            set: 's',
            key: `10.${index >> 7}.${(index & 127) * 2}.0/24`,
          }))
          const wanted = flags.length > 0 ? elements : elements.map(({ set, key }) => ({ set, key: key.replace('/24', '') }))
          const { bytes } = encodeBatch(new NetlinkWriter(), [{ kind: 'add elements', elements: wanted }], target(form))
          const reader = new ElementReader(form)
          const messages = parseMessages(bytes).slice(1, -1)
          for (const message of messages) reader.read(message)
          expect([...reader.finish()].map(([key]) => key).sort()).toEqual(wanted.map(({ key }) => key).sort())
          expect(messages.length).toBeGreaterThanOrEqual(count > 4_100 ? 2 : 1)
        },
      ),
      { numRuns: 30 },
    )
  })
  it('finds the element that an error speaks of', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6_000 }), fc.nat(), (count, pick) => {
        const form = shape(['ipv4_addr'])
        const elements = Array.from({ length: count }, (_, index) => ({ set: 's', key: `10.0.${index >> 8}.${index & 255}` }))
        const batch = encodeBatch(new NetlinkWriter(), [{ kind: 'delete elements', elements }], target(form))
        const at = pick % count
        // Every element is as long as the others: 4 of its head, 8 + 4 of its key; the list begins behind the heads and the names.
        let left = at
        for (const message of parseMessages(batch.bytes).slice(1, -1)) {
          const first = 16 + 4 + 8 + 8 + 4
          const here = (message.payload.length + 16 - first) / 16
          if (left < here) {
            expect(batch.subjectAt(message.sequence, first + left * 16)).toBe(elements[at])
            return
          }
          left -= here
        }
        throw new Error('not in any message')
      }),
      { numRuns: 50 },
    )
  })
  it('names the object where no element is to blame', () => {
    const commands = [
      { kind: 'add table' },
      { kind: 'add chain', chain: { name: 'c' } },
      { kind: 'set rules', chain: 'c', rules: ['drop'] },
    ] as const
    const batch = encodeBatch(new NetlinkWriter(), commands, target(shape(['ipv4_addr'])))
    expect([7, 8, 9, 10, 11, 12, 99].map((sequence) => batch.subjectAt(sequence, 20))).toEqual([
      'the whole change',
      'the table',
      'chain c',
      'chain c',
      'rule "drop" of chain c',
      'the whole change',
      'the whole change',
    ])
  })
  it.each<readonly [string, Element]>([
    ['does not fit its set', { set: 's', key: 'x' }],
    ['takes none', { set: 's', key: '1.1.1.1', value: 'drop' }],
  ])('says which element %s', (words, element) => {
    const encode = () =>
      encodeBatch(new NetlinkWriter(), [{ kind: 'add elements', elements: [element] }], target(shape(['ipv4_addr'])))
    expect(encode).toThrow(words)
    expect(encode).toThrow(
      expect.objectContaining<Partial<RefusedElements>>({ refusals: [expect.objectContaining({ element })] }),
    )
  })
  it('refuses rule text that it does not know, and verdicts', () => {
    const rules = (rule: string) => () =>
      encodeBatch(new NetlinkWriter(), [{ kind: 'set rules', chain: 'c', rules: [rule] }], target(shape(['ipv4_addr'])))
    expect(rules('meta nftrace set 1')).toThrow('rule text "meta nftrace set 1" is unknown')
    expect(rules('ip6 daddr @six drop')).toThrow('field "ip6 daddr" is unknown')
  })
})
