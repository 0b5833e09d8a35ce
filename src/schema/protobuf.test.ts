import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selfSubjectReviewSchema } from '../api/authentication/selfsubjectreview/schema.ts'
import { tokenRequestSchema } from '../api/authentication/tokenreview/schema.ts'
import { selfSubjectAccessReviewSchema } from '../api/authorization/selfsubjectaccessreview/schema.ts'
import { selfSubjectRulesReviewSchema } from '../api/authorization/selfsubjectrulesreview/schema.ts'
import { apiVersionOf, scheme } from '../api/index.ts'
import { deleteOptionsSchema } from '../api/meta/options.ts'
import { decodeProtobuf, isProtobuf, ProtobufError, readEnvelope } from './protobuf.ts'
import {
  any,
  boolean,
  bytes,
  double,
  embed,
  int32,
  int64,
  intOrString,
  lazy,
  list,
  map,
  microTime,
  object,
  optional,
  quantity,
  required,
  type Schema,
  string,
  time,
} from './schema.ts'
import { checkStructure } from './structure.ts'

interface Captured {
  readonly kubectl: readonly string[]
  readonly name: string
  readonly command: string
  readonly body: string
  readonly expected: object
}

const captured = JSON.parse(readFileSync(new URL('testdata/kubectl-bodies.json', import.meta.url), 'utf8')) as readonly Captured[]

const schemas = new Map<string, Schema<unknown>>([
  ...scheme.map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind.schema] as const),
  ['authentication.k8s.io/v1 TokenRequest', tokenRequestSchema],
  ['authorization.k8s.io/v1 SelfSubjectAccessReview', selfSubjectAccessReviewSchema],
  ['authorization.k8s.io/v1 SelfSubjectRulesReview', selfSubjectRulesReviewSchema],
  ['authentication.k8s.io/v1 SelfSubjectReview', selfSubjectReviewSchema],
])

describe('bodies captured from kubectl 1.32 to 1.35 are what it prints with --dry-run=client -o json', () => {
  it.each(captured.map((each) => [each.command, each] as const))('%s', (_command, { body, expected }) => {
    const envelope = readEnvelope(Buffer.from(body, 'base64'))
    const schema = schemas.get(`${envelope.apiVersion} ${envelope.kind}`)!
    const decoded = decodeProtobuf(schema, envelope)
    const { apiVersion, kind } = envelope
    expect(decoded).toEqual(checkStructure(schema, { apiVersion, kind, ...expected }, { unknownFields: 'report' }).pruned)
  })
})

/** A field of a message: bytes for a length-delimited one, a number for a varint. */
const field = (number: number, value: Buffer | string | number): Buffer => {
  if (typeof value === 'number') return Buffer.concat([varint(BigInt(number) << 3n), varint(BigInt.asUintN(64, BigInt(value)))])
  const payload = Buffer.from(value)
  return Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(payload.length)), payload])
}

const varint = (value: bigint): Buffer => {
  const out: number[] = []
  let rest = value
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Buffer.from([...out, Number(rest)])
}

const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields)
const body = (raw: Buffer, typeMeta = message(field(1, 'v1'), field(2, 'Every'))): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), field(1, typeMeta), field(2, raw)])

type Tree = { readonly name?: string; readonly children?: readonly Tree[] }
const tree: Schema<Tree> = object('Tree', {
  name: optional(1, string()),
  children: optional(2, list(lazy<Tree>('Tree', () => tree))),
})

const every = embed(
  object('Every', {
    apiVersion: optional(undefined, string()),
    kind: optional(undefined, string()),
    text: optional(1, string()),
    flag: optional(2, boolean()),
    small: optional(3, int32()),
    large: optional(4, int64()),
    real: optional(5, double()),
    blob: optional(6, bytes()),
    at: optional(7, time()),
    microAt: optional(8, microTime()),
    memory: optional(9, quantity()),
    port: optional(10, intOrString()),
    extra: optional(11, any()),
    names: optional(12, list(string())),
    numbers: optional(13, list(int32())),
    labels: optional(14, map(string())),
    limits: optional(15, map(quantity())),
    data: optional(16, map(bytes())),
    groups: optional(17, map(list(string()))),
    tree: optional(18, tree),
    flags: optional(20, list(boolean())),
    must: required(21, int32()),
  }),
  19,
  object('Inner', { inlined: optional(1, string()) }),
)
const decode = (raw: Buffer): Record<string, unknown> => {
  const { apiVersion, kind, must, ...rest } = decodeProtobuf(every, readEnvelope(body(raw))) as Record<string, unknown>
  expect({ apiVersion, kind }).toEqual({ apiVersion: 'v1', kind: 'Every' })
  return must === 0 ? rest : { ...rest, must }
}
const double8 = (value: number): Buffer => {
  const buffer = Buffer.alloc(9)
  buffer[0] = (5 << 3) | 1
  buffer.writeDoubleLE(value, 1)
  return buffer
}

describe('each type', () => {
  it.each([
    ['text', field(1, 'é'), { text: 'é' }],
    ['an empty text', field(1, ''), {}],
    ['true', field(2, 1), { flag: true }],
    ['false', field(2, 0), {}],
    ['a negative int32', field(3, -5), { small: -5 }],
    ['a large int64', field(4, 2 ** 53 - 1), { large: 2 ** 53 - 1 }],
    ['a negative int64', field(4, -(2 ** 40)), { large: -(2 ** 40) }],
    ['a double', double8(1.5), { real: 1.5 }],
    ['bytes', field(6, Buffer.from([0, 255])), { blob: 'AP8=' }],
    ['a time', field(7, message(field(1, 1_700_000_000), field(2, 5))), { at: '2023-11-14T22:13:20Z' }],
    ['no time', field(7, ''), {}],
    ['the epoch', field(7, message(field(1, 0), field(2, 0))), { at: '1970-01-01T00:00:00Z' }],
    [
      'a micro time',
      field(8, message(field(1, 1_700_000_000), field(2, 123_456_789))),
      { microAt: '2023-11-14T22:13:20.123456Z' },
    ],
    ['a quantity', field(9, field(1, '1Gi')), { memory: '1Gi' }],
    ['a port number', field(10, message(field(1, 0), field(2, 8080), field(3, ''))), { port: 8080 }],
    ['a port name', field(10, message(field(1, 1), field(2, 0), field(3, 'http'))), { port: 'http' }],
    ['raw JSON', field(11, field(1, '{"a":[1]}')), { extra: { a: [1] } }],
    ['raw bytes that are no JSON', field(11, field(1, '{')), {}],
    ['a list', message(field(12, 'a'), field(12, ''), field(12, 'b')), { names: ['a', '', 'b'] }],
    ['numbers one by one', message(field(13, 1), field(13, 0)), { numbers: [1, 0] }],
    ['packed numbers', field(13, Buffer.from([1, 0, 0x96, 0x01])), { numbers: [1, 0, 150] }],
    ['packed flags', field(20, Buffer.from([1, 0])), { flags: [true, false] }],
    [
      'a map',
      message(field(14, message(field(1, 'a'), field(2, 'x'))), field(14, message(field(1, 'b'), field(2, '')))),
      { labels: { a: 'x', b: '' } },
    ],
    ['a map entry without a value', field(14, field(1, 'a')), { labels: { a: '' } }],
    ['a map of quantities', field(15, message(field(1, 'cpu'), field(2, field(1, '2')))), { limits: { cpu: '2' } }],
    ['a map of bytes', field(16, message(field(1, 'k'), field(2, 'v'))), { data: { k: 'dg==' } }],
    [
      'a map of lists',
      field(17, message(field(1, 'g'), field(2, message(field(1, 'x'), field(1, 'y'))))),
      { groups: { g: ['x', 'y'] } },
    ],
    ['an embedded message', field(19, field(1, 'x')), { inlined: 'x' }],
    [
      'a message in itself',
      field(18, message(field(1, 'a'), field(2, field(1, 'b')))),
      { tree: { name: 'a', children: [{ name: 'b' }] } },
    ],
    [
      'a message in two parts',
      message(field(18, field(1, 'a')), field(18, field(2, ''))),
      { tree: { name: 'a', children: [{}] } },
    ],
    [
      'unknown fields of every wire type',
      message(
        field(99, 'x'),
        field(99, 7),
        Buffer.concat([varint((99n << 3n) | 1n), Buffer.alloc(8)]),
        Buffer.concat([varint((99n << 3n) | 5n), Buffer.alloc(4)]),
      ),
      {},
    ],
    ['the last of two values', message(field(1, 'a'), field(1, 'b')), { text: 'b' }],
    ['a required zero', field(21, 5), { must: 5 }],
  ])('%s', (_title, raw, expected) => expect(decode(raw)).toEqual(expected))

  it('keeps the map key __proto__ as plain data', () => {
    const { labels } = decode(field(14, message(field(1, '__proto__'), field(2, 'x'))))
    expect(JSON.stringify(labels)).toBe('{"__proto__":"x"}')
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype)
  })
})

describe('the envelope', () => {
  it('is told by its first bytes', () => {
    expect([isProtobuf(body(message())), isProtobuf(Buffer.from('{"a":1}')), isProtobuf(Buffer.alloc(0))]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('carries delete options under any group', () => {
    const options = message(field(1, 0), field(4, 'Background'))
    const envelope = readEnvelope(body(options, message(field(1, 'apps/v1'), field(2, 'DeleteOptions'))))
    expect(decodeProtobuf(deleteOptionsSchema, envelope)).toEqual({
      apiVersion: 'apps/v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      propagationPolicy: 'Background',
    })
  })

  it.each([
    ['no bytes', Buffer.alloc(0)],
    ['JSON', Buffer.from('{}')],
    ['an encoding', Buffer.concat([Buffer.from('k8s\0'), field(3, 'gzip')])],
    ['another content type', Buffer.concat([Buffer.from('k8s\0'), field(4, 'application/cbor')])],
    ['a length beyond the end', Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, 0x7f])])],
  ])('refuses %s', (_title, bytes) => expect(() => readEnvelope(bytes)).toThrow(ProtobufError))
})

describe('hostile bytes', () => {
  it.each([
    ['a wrong wire type', field(1, 5)],
    ['a message where a number belongs', field(3, 'x')],
    ['a group', Buffer.from([(1 << 3) | 3])],
    ['the field number 0', Buffer.from([0, 0])],
    ['a number without end', Buffer.from([8, ...new Array<number>(12).fill(0xff)])],
    ['a length without end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a time before all times', field(7, message(field(1, -(2 ** 60))))],
    ['a quantity that is none', field(9, field(1, 'lots'))],
    ['a micro time with too many nanoseconds', field(8, message(field(1, 1), field(2, 2e9)))],
  ])('%s is an error', (_title, raw) => expect(() => decode(raw)).toThrow(ProtobufError))

  it('does not nest without end', () => {
    let nested = message()
    for (let level = 0; level < 5000; level++) nested = field(2, nested)
    expect(() => decode(field(18, nested))).toThrow('nested too deeply')
  })

  it('does not make millions of objects of a few megabytes', () => {
    const raw = field(18, Buffer.concat(new Array<Buffer>(600_000).fill(field(2, ''))))
    expect(() => decode(raw)).toThrow('too many values')
  })

  it('is never worse than a ProtobufError, whatever the bytes', () => {
    const real = captured.map((each) => Buffer.from(each.body, 'base64'))
    const damaged = fc
      .tuple(fc.constantFrom(...real), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }), fc.nat(300))
      .map(([bytes, changes, cut]) => {
        const copy = Buffer.from(bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0)))
        for (const [at, value] of changes) if (at + 4 < copy.length) copy[at + 4] = value
        return copy
      })
    const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from('k8s\0'), bytes]))
    const wrapped = fc.uint8Array({ maxLength: 300 }).map((bytes) => body(Buffer.from(bytes)))
    fc.assert(
      fc.property(
        fc.oneof(damaged, random, wrapped),
        fc.constantFrom<Schema<unknown>>(every, ...schemas.values()),
        (bytes, schema) => {
          try {
            decodeProtobuf(schema, readEnvelope(bytes))
          } catch (error) {
            expect(error).toBeInstanceOf(ProtobufError)
          }
        },
      ),
      { numRuns: 5000 },
    )
  })
})
