import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { secretSchema } from '../api/core/secret/schema.ts'
import { deleteOptionsSchema, listMetaSchema, scaleSchema, scheme, serviceKind, tokenRequestSchema } from '../api/index.ts'
import { pointerFields } from './pointers.ts'
import {
  any,
  boolean,
  bytes,
  embed,
  int32,
  int64,
  intOrString,
  lazy,
  list,
  map,
  microTime,
  type Node,
  object,
  optional,
  quantity,
  required,
  type Schema,
  string,
  time,
} from './schema.ts'
import { checkStructure } from './structure.ts'

const check = (schema: Schema<unknown>, value: unknown) => checkStructure(schema, value, { unknownFields: 'report' })
const firstError = (schema: Schema<unknown>, value: unknown) => check(schema, value).errors[0]

const service = (spec: unknown): unknown => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec })

describe('type errors in the words of the real API server', () => {
  it.each([
    [
      { ports: [{ port: '80' }] },
      'spec.ports[0].port',
      'json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
    ],
    [
      { ports: [{ port: 80.5 }] },
      'spec.ports[0].port',
      'json: cannot unmarshal number 80.5 into Go struct field ServicePort.spec.ports.port of type int32',
    ],
    [
      { ports: [{ port: 2 ** 31 }] },
      'spec.ports[0].port',
      'json: cannot unmarshal number 2147483648 into Go struct field ServicePort.spec.ports.port of type int32',
    ],
    [
      { ports: {} },
      'spec.ports',
      'json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort',
    ],
    [
      { selector: { app: 1 } },
      'spec.selector.app',
      'json: cannot unmarshal number into Go struct field ServiceSpec.spec.selector of type string',
    ],
    [
      { selector: [] },
      'spec.selector',
      'json: cannot unmarshal array into Go struct field ServiceSpec.spec.selector of type map[string]string',
    ],
    [
      { publishNotReadyAddresses: 'yes' },
      'spec.publishNotReadyAddresses',
      'json: cannot unmarshal string into Go struct field ServiceSpec.spec.publishNotReadyAddresses of type bool',
    ],
    [
      { ports: [{ port: 80, targetPort: true }] },
      'spec.ports[0].targetPort',
      'json: cannot unmarshal bool into Go value of type int32',
    ],
    ['x', 'spec', 'json: cannot unmarshal string into Go struct field Service.spec of type v1.ServiceSpec'],
  ])('%j is an error at %s', (spec, path, message) => {
    expect(firstError(serviceKind.schema, service(spec))).toEqual({ path, message })
  })

  it('names no field when the whole body is of the wrong type', () => {
    expect(firstError(serviceKind.schema, [])).toEqual({
      path: '',
      message: 'json: cannot unmarshal array into Go value of type v1.Service',
    })
  })

  it('reports all of them in document order', () => {
    const { errors } = check(serviceKind.schema, service({ type: 1, ports: [{ port: 'a' }, { port: 'b' }] }))
    expect(errors.map((error) => error.path)).toEqual(['spec.type', 'spec.ports[0].port', 'spec.ports[1].port'])
  })

  it('reports at most 100', () => {
    const ports = Array.from({ length: 1000 }, () => ({ port: 'x', foo: 1 }))
    const { errors, unknownFields } = check(serviceKind.schema, service({ ports }))
    expect([errors.length, unknownFields.length]).toEqual([100, 100])
  })
})

const everyScalar = object('Every', {
  text: optional(1, string()),
  flag: optional(2, boolean()),
  small: optional(3, int32()),
  large: optional(4, int64()),
  port: optional(5, intOrString()),
  blob: optional(6, bytes()),
  at: optional(7, time()),
  microAt: optional(8, microTime()),
  memory: optional(9, quantity()),
  extra: optional(10, any()),
})

describe('scalars', () => {
  it.each([
    ['at', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['at', '2026-01-02T03:04:05.999+02:00', '2026-01-02T01:04:05Z'],
    ['microAt', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000Z'],
    ['microAt', '2026-01-02T03:04:05.123456789-01:00', '2026-01-02T04:04:05.123456Z'],
    ['blob', 'aGk=', 'aGk='],
    ['blob', 'aG\nk=', 'aGk='],
    ['memory', '1.5Gi', '1.5Gi'],
    ['memory', 2, '2'],
    ['memory', '1E', '1E'],
    ['memory', '1e-3', '1e-3'],
    ['port', 80, 80],
    ['port', 'http', 'http'],
    ['large', 2 ** 53, 2 ** 53],
    ['extra', { a: [null] }, { a: [null] }],
  ])('%s %j is read as %j', (field, value, expected) => {
    expect(check(everyScalar, { [field]: value })).toEqual({ errors: [], unknownFields: [], pruned: { [field]: expected } })
  })

  it.each([
    ['at', ''],
    ['at', 'yesterday'],
    ['at', '2026-02-30T00:00:00Z'],
    ['at', '2026-01-01T24:00:00Z'],
    ['at', '9999-12-31T23:59:59-10:00'],
    ['at', 5],
    ['blob', 'a'],
    ['blob', 'aG=k'],
    ['memory', '1ki'],
    ['memory', 'lots'],
    ['memory', true],
    ['large', 2 ** 64],
    ['port', 1.5],
    ['port', {}],
  ])('%s %j is an error', (field, value) => {
    expect(check(everyScalar, { [field]: value }).errors).toMatchObject([{ path: field }])
  })
})

describe('what is kept', () => {
  it('drops unknown fields and reports their paths', () => {
    const { pruned, unknownFields } = check(serviceKind.schema, {
      ...(service({ foo: 1, ports: [{ port: 1, bar: 2 }] }) as object),
      baz: 3,
    })
    expect(unknownFields).toEqual(['spec.foo', 'spec.ports[0].bar', 'baz'])
    expect(pruned).toEqual(service({ ports: [{ port: 1 }] }))
  })

  it('reports no unknown field when asked to ignore them', () => {
    expect(checkStructure(serviceKind.schema, service({ foo: 1 }), { unknownFields: 'ignore' }).unknownFields).toEqual([])
  })

  it('keeps unknown fields of open objects', () => {
    const schema = object('Open', { known: optional(1, string()) }, { open: true })
    expect(check(schema, { known: 'a', other: { deep: [1] } })).toEqual({
      errors: [],
      unknownFields: [],
      pruned: { known: 'a', other: { deep: [1] } },
    })
  })

  it('takes null for absent, and for the zero value in lists and maps', () => {
    const schema = object('M', {
      text: optional(1, string()),
      names: optional(2, list(string())),
      labels: optional(3, map(string())),
    })
    expect(check(schema, { text: null, names: ['a', null], labels: { a: null } }).pruned).toEqual({
      names: ['a', ''],
      labels: { a: '' },
    })
  })

  it('drops the zero values that mean "not set"', () => {
    const spec = {
      clusterIP: '',
      ports: [],
      selector: {},
      publishNotReadyAddresses: false,
      healthCheckNodePort: 0,
      type: 'ClusterIP',
    }
    expect(check(serviceKind.schema, service(spec)).pruned).toEqual(service({ type: 'ClusterIP' }))
  })

  it('keeps the zero values of pointers', () => {
    const spec = { allocateLoadBalancerNodePorts: false, sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }
    expect(check(serviceKind.schema, service(spec)).pruned).toEqual(service(spec))
  })

  it('fills in what Go would: required fields, and structs that are always there', () => {
    expect(check(serviceKind.schema, { spec: { ports: [{}] } }).pruned).toEqual({ metadata: {}, spec: { ports: [{ port: 0 }] } })
  })

  it('does not change or share what it was given', () => {
    const given = service({ ports: [{ port: 80 }] }) as { spec: { ports: unknown[] } }
    const before = JSON.stringify(given)
    const pruned = check(serviceKind.schema, given).pruned as { spec: { ports: unknown[] } }
    expect(pruned.spec.ports).not.toBe(given.spec.ports)
    expect(JSON.stringify(given)).toBe(before)
  })
})

describe('hostile values', () => {
  it('treats names of Object.prototype as unknown fields', () => {
    const hostile: unknown = JSON.parse(
      '{"__proto__": {"polluted": 1}, "constructor": {"a": 1}, "toString": "x", "metadata": {"__proto__": {}}}',
    )
    const { unknownFields, pruned } = check(serviceKind.schema, hostile)
    expect(unknownFields).toEqual(['__proto__', 'constructor', 'toString', 'metadata.__proto__'])
    expect(Object.getPrototypeOf(pruned)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('keeps the map key __proto__ as plain data', () => {
    const hostile: unknown = JSON.parse('{"data": {"__proto__": "aGk=", "constructor": "aGk="}}')
    const pruned = check(secretSchema, hostile).pruned as { data: object }
    expect(JSON.stringify(pruned.data)).toBe('{"__proto__":"aGk=","constructor":"aGk="}')
    expect(Object.getPrototypeOf(pruned.data)).toBe(Object.prototype)
  })

  it('refuses nesting that would exhaust the stack, in open values and in recursive messages', () => {
    type Tree = { readonly child?: Tree }
    const tree: Schema<Tree> = object('Tree', {
      child: optional(
        1,
        lazy<Tree>('Tree', () => tree),
      ),
    })
    const deep: unknown = JSON.parse(`${'{"child":'.repeat(20_000)}1${'}'.repeat(20_000)}`)
    const deepList: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
    expect(firstError(tree, deep)?.message).toBe('exceeded max depth')
    expect(firstError(everyScalar, { extra: deepList })).toEqual({ path: 'extra', message: 'exceeded max depth' })
  })

  it('shortens a huge name in a path', () => {
    const { unknownFields } = check(serviceKind.schema, { ['x'.repeat(1_000_000)]: 1 })
    expect(unknownFields[0]?.length).toBeLessThan(300)
  })

  it('reads a megabyte of any one character in linear time', () => {
    for (const text of ['1', '=', ' ', '+', '\\', '"']) {
      const value = text.repeat(1_000_000)
      check(everyScalar, { text: value, blob: value, at: value, microAt: value, memory: value })
    }
  })
})

describe('embedded messages', () => {
  it('have their fields beside those of the outer one', () => {
    const schema = embed(object('Outer', { a: optional(1, string()) }), 2, object('Inner', { b: required(1, int32()) }))
    expect(check(schema, { a: 'x', b: 5 })).toEqual({ errors: [], unknownFields: [], pruned: { a: 'x', b: 5 } })
  })
})

describe('every served kind', () => {
  it.each(scheme.map((kind) => [kind.kind, kind] as const))(
    '%s: never throws, and reading twice changes nothing',
    (_name, kind) => {
      fc.assert(
        fc.property(
          fc.jsonValue(),
          fc.dictionary(fc.constantFrom('metadata', 'spec', 'status', 'data', 'endpoints', '__proto__'), fc.jsonValue()),
          (a, b) => {
            for (const value of [a, b]) {
              const once = check(kind.schema, value)
              if (once.errors.length === 0)
                expect(check(kind.schema, once.pruned)).toEqual({ errors: [], unknownFields: [], pruned: once.pruned })
            }
          },
        ),
        { numRuns: 50 },
      )
    },
  )
})

describe('the table of pointers', () => {
  it('names optional scalars of messages that exist', () => {
    const scalars = new Set<string>()
    const seen = new Set<Node>()
    const walk = (node: Node): void => {
      if (seen.has(node)) return
      seen.add(node)
      if (node.kind === 'list') walk(node.items)
      else if (node.kind === 'map') walk(node.values)
      else if (node.kind === 'lazy') walk(node.resolve())
      else if (node.kind === 'object') {
        for (const [key, field] of Object.entries(node.fields)) {
          walk(field.node)
          if (!field.required && field.pointer) scalars.add(`${node.name}.${key}`)
        }
        for (const embedded of node.embeds) walk(embedded.node)
      }
    }
    for (const schema of [
      ...scheme.map((kind) => kind.schema),
      scaleSchema,
      tokenRequestSchema,
      deleteOptionsSchema,
      listMetaSchema,
    ]) {
      walk(schema.node)
    }
    const missing = pointerFields()
      .map((pair) => pair.join('.'))
      .filter((name) => !scalars.has(name))
    expect(missing).toEqual([])
  })

  it('has no field twice', () => {
    const names = pointerFields().map((pair) => pair.join('.'))
    expect(new Set(names).size).toBe(names.length)
  })
})
