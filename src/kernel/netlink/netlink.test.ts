import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acknowledgementOf,
  attributesFrom,
  errorOf,
  FLAG,
  MESSAGE_TYPE,
  message,
  NetlinkWriter,
  parseAttributes,
  parseMessages,
  readText,
  readU16BE,
  readU32BE,
  readU64BE,
} from './index.ts'

describe('writing', () => {
  it('lays a message out as linux/netlink.h says', () => {
    const writer = new NetlinkWriter(1)
    const at = writer.begin({ type: 0x0a0c, flags: FLAG.request | FLAG.create, sequence: 7, family: 2, resource: 10 })
    const nest = writer.open(3)
    writer.u32be(1, 80)
    writer.close(nest)
    writer.text(2, 'ab')
    writer.end(at)
    expect(writer.written().toString('hex')).toBe(
      [
        ['28000000', '0c0a', '0104', '07000000', '00000000'],
        ['02', '00', '000a'],
        ['0c00', '0380', '0800', '0100', '00000050'],
        ['0700', '0200', '61620000'],
      ]
        .flat()
        .join(''),
    )
  })
  it('refuses a nested attribute that is longer than its length can say', () => {
    const writer = new NetlinkWriter()
    const nest = writer.open(1)
    writer.bytes(2, new Uint8Array(65_535 - 4))
    expect(() => writer.close(nest)).toThrow('attribute of 65540 bytes is longer than 65535')
  })
  it('uses its memory again after a reset, without old bytes in the padding', () => {
    const writer = new NetlinkWriter(64)
    writer.bytes(1, Buffer.alloc(40, 0xff))
    writer.reset()
    writer.u8(1, 5)
    writer.truncate(writer.length)
    expect(writer.written().toString('hex')).toBe('0500010005000000')
  })
})

type Written =
  | readonly ['u8', number]
  | readonly ['u16', number]
  | readonly ['u32', number]
  | readonly ['u64', bigint]
  | readonly ['text', string]
  | readonly ['bytes', Uint8Array]

const written: fc.Arbitrary<Written> = fc.oneof(
  fc.tuple(fc.constant('u8' as const), fc.nat(0xff)),
  fc.tuple(fc.constant('u16' as const), fc.nat(0xffff)),
  fc.tuple(fc.constant('u32' as const), fc.integer({ min: 0, max: 0xffff_ffff })),
  fc.tuple(fc.constant('u64' as const), fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })),
  fc.tuple(fc.constant('text' as const), fc.stringMatching(/^[a-z]{0,9}$/)),
  fc.tuple(fc.constant('bytes' as const), fc.uint8Array({ maxLength: 20 })),
)

describe('reading', () => {
  it('gives back whatever was written', () => {
    fc.assert(
      fc.property(fc.array(fc.array(written, { maxLength: 8 }), { maxLength: 5 }), (messages) => {
        const writer = new NetlinkWriter(8)
        for (const [sequence, attributes] of messages.entries()) {
          const at = writer.begin({ type: 20, flags: 0, sequence, family: 10 })
          for (const each of attributes) write(writer, each)
          writer.end(at)
        }
        const parsed = parseMessages(writer.written())
        expect(parsed.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index))
        expect(parsed.map(({ payload }) => attributesFrom(payload, 4).map(read))).toEqual(
          messages.map((attributes) => attributes.map((each) => (each[0] === 'bytes' ? ['bytes', Buffer.from(each[1])] : each))),
        )
      }),
      { numRuns: 200 },
    )
  })
  it('finds attributes by type, through the flags of nesting and byte order', () => {
    const attributes = parseAttributes(Buffer.from('080001800000002a' + '06000240abcd0000', 'hex'))
    expect(readU32BE(attributes.get(1) ?? Buffer.alloc(0))).toBe(42)
    expect(readU16BE(attributes.get(2) ?? Buffer.alloc(0))).toBe(0xabcd)
  })
  it.each([
    ['a message', () => parseMessages(Buffer.from('2000000000000000000000000000000000000000', 'hex')), 'message of 32 bytes'],
    ['a message without a head', () => parseMessages(Buffer.alloc(16)), 'message of 0 bytes'],
    ['an attribute', () => parseAttributes(Buffer.from('0900010000000000', 'hex')), 'attribute of 9 bytes'],
    ['an attribute without a head', () => parseAttributes(Buffer.alloc(8)), 'attribute of 0 bytes'],
    ['an acknowledgement', () => parseMessages(message({ type: 2, flags: 0, sequence: 1 })).map(acknowledgementOf), 'is cut off'],
  ])('refuses %s that is cut off', (_, act, words) => expect(act).toThrow(words))
})

const write = (writer: NetlinkWriter, [kind, value]: Written): unknown => {
  switch (kind) {
    case 'u8':
      return writer.u8(TYPES.u8, value)
    case 'u16':
      return writer.u16be(TYPES.u16, value)
    case 'u32':
      return writer.u32be(TYPES.u32, value)
    case 'u64':
      return writer.u64be(TYPES.u64, value)
    case 'text':
      return writer.text(TYPES.text, value)
    case 'bytes':
      return writer.bytes(TYPES.bytes, value)
    default:
      return kind satisfies never
  }
}

const TYPES = { u8: 1, u16: 2, u32: 3, u64: 4, text: 5, bytes: 6 } as const

const read = ({ type, value }: { readonly type: number; readonly value: Buffer }): readonly [string, unknown] => {
  if (type === TYPES.u8) return ['u8', value[0]]
  if (type === TYPES.u16) return ['u16', readU16BE(value)]
  if (type === TYPES.u32) return ['u32', readU32BE(value)]
  if (type === TYPES.u64) return ['u64', readU64BE(value)]
  return type === TYPES.text ? ['text', readText(value)] : ['bytes', value]
}

/** An answer as the kernel makes it: code, the request's head (or all of it), attributes. */
const answer = (
  errno: number,
  options: { readonly flags?: number; readonly request?: Buffer; readonly attributes?: Buffer } = {},
) => {
  const request = options.request ?? message({ type: 1, flags: 0, sequence: 99 })
  const code = Buffer.alloc(4)
  code.writeInt32LE(-errno)
  const payload = Buffer.concat([code, request, options.attributes ?? Buffer.alloc(0)])
  const [parsed] = parseMessages(
    message({ type: MESSAGE_TYPE.error, flags: options.flags ?? FLAG.capped, sequence: 99, payload }),
  )
  if (parsed === undefined) throw new Error('no message')
  return parsed
}
const attributes = Buffer.from('0700010061620000' + '0800020014000000', 'hex')

describe('answers', () => {
  it('tells success from failure, and names the errno', () => {
    expect(errorOf(answer(0), 'nft')).toBeUndefined()
    expect(errorOf(answer(2), 'nft: get table x')).toMatchObject({
      name: 'HostError',
      code: 'ENOENT',
      message: 'nft: get table x: No such file or directory',
    })
    expect(errorOf(answer(9999), 'nft')).toMatchObject({ code: 'errno 9999' })
  })
  it.each([
    ['capped', FLAG.capped | FLAG.ackAttributes, message({ type: 1, flags: 0, sequence: 99 })],
    ['with the whole request', FLAG.ackAttributes, message({ type: 1, flags: 0, sequence: 99, payload: Buffer.alloc(9) })],
  ])('reads the kernel’s words and the place of the bad attribute, %s', (_, flags, request) => {
    expect(acknowledgementOf(answer(22, { flags, request, attributes }))).toEqual({
      sequence: 99,
      errno: 22,
      text: 'ab',
      offset: 20,
    })
    expect(errorOf(answer(22, { flags, request, attributes }), 'nft')?.message).toBe('nft: Invalid argument (ab)')
  })
  it('takes no other message for an answer', () => {
    const [other] = parseMessages(message({ type: 20, flags: 0, sequence: 1, payload: Buffer.alloc(24) }))
    expect(other !== undefined && acknowledgementOf(other)).toBeUndefined()
  })
})
