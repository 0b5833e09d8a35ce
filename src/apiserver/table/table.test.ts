import { describe, expect, it } from 'vitest'
import type { Column, KubeObject } from '../../api/index.ts'
import { toPartialMetadataList } from './metadata.ts'
import { negotiate } from './negotiate.ts'
import { parseIncludeObject, toTable } from './table.ts'

interface Thing extends KubeObject {
  readonly size: number
}

const columns: readonly Column<Thing>[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'The name.', priority: 0, cell: (thing) => thing.metadata.name },
  { name: 'Age', type: 'string', description: 'The age.', priority: 0, cell: (thing, nowMs) => `${nowMs - thing.size}ms` },
  { name: 'Size', type: 'integer', description: 'The size.', priority: 1, cell: (thing) => thing.size },
]
const thing: Thing = { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', labels: { x: 'y' } }, size: 3 }
const options = { version: 'v1', includeObject: 'Metadata', nowMs: 10 } as const

describe('toTable', () => {
  it('has a definition for each column and a row for each object', () => {
    const table = toTable({ columns }, [thing], { ...options, metadata: { resourceVersion: '7', continue: 'x' } })
    expect(table).toEqual({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: '7', continue: 'x' },
      columnDefinitions: [
        { name: 'Name', type: 'string', format: 'name', description: 'The name.', priority: 0 },
        { name: 'Age', type: 'string', format: '', description: 'The age.', priority: 0 },
        { name: 'Size', type: 'integer', format: '', description: 'The size.', priority: 1 },
      ],
      rows: [
        {
          cells: ['a', '7ms', 3],
          object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'a', labels: { x: 'y' } } },
        },
      ],
    })
  })

  it.each([
    ['None', undefined],
    ['Object', thing],
  ] as const)('carries with includeObject=%s %j', (includeObject, expected) => {
    expect(toTable({ columns }, [thing], { ...options, includeObject }).rows[0]?.object).toEqual(expected)
  })

  it('speaks v1beta1', () => {
    const table = toTable({ columns }, [thing], { ...options, version: 'v1beta1' })
    expect([table.apiVersion, table.rows[0]?.object]).toMatchObject([
      'meta.k8s.io/v1beta1',
      { apiVersion: 'meta.k8s.io/v1beta1' },
    ])
  })

  it('leaves the column definitions out of later watch events', () => {
    expect(toTable({ columns }, [thing], { ...options, omitColumns: true }).columnDefinitions).toBeNull()
  })

  it('gives kinds without columns a name and an age', () => {
    const table = toTable({ columns: [] }, [thing], options)
    expect([table.columnDefinitions?.map((column) => column.name), table.rows[0]?.cells]).toEqual([
      ['Name', 'Age'],
      ['a', null],
    ])
  })

  it('shows the other cells when one cannot be computed', () => {
    const broken: Column<Thing> = {
      ...columns[1]!,
      cell: () => {
        throw new TypeError('no such field')
      },
    }
    expect(toTable({ columns: [columns[0]!, broken] }, [thing], options).rows[0]?.cells).toEqual(['a', '<unknown>'])
  })
})

it('lists metadata alone', () => {
  expect(toPartialMetadataList([thing], 'v1', { resourceVersion: '7' })).toEqual({
    kind: 'PartialObjectMetadataList',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: '7' },
    items: [{ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: thing.metadata }],
  })
})

describe('includeObject', () => {
  it.each([
    [undefined, 'Metadata'],
    ['', 'Metadata'],
    ['None', 'None'],
    ['Object', 'Object'],
  ])('%j is %s', (value, expected) => expect(parseIncludeObject(value)).toBe(expected))

  it('refuses anything else', () => expect(() => parseIncludeObject('All')).toThrow('unrecognized includeObject value: "All"'))
})

describe('negotiate', () => {
  const table = (version: string) => `application/json;as=Table;v=${version};g=meta.k8s.io`
  it.each([
    [undefined, { kind: 'object' }],
    ['', { kind: 'object' }],
    ['application/json', { kind: 'object' }],
    ['application/json, */*', { kind: 'object' }],
    ['*/*', { kind: 'object' }],
    [`${table('v1')},${table('v1beta1')},application/json`, { kind: 'table', version: 'v1' }],
    [`${table('v1beta1')},application/json`, { kind: 'table', version: 'v1beta1' }],
    [`${table('v2')},application/json`, { kind: 'object' }],
    [`application/json,${table('v1')}`, { kind: 'object' }],
    [`application/json;q=0.5,${table('v1')}`, { kind: 'table', version: 'v1' }],
    ['application/vnd.kubernetes.protobuf,application/json', { kind: 'object' }],
    ['application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json', { kind: 'object' }],
    ['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', { kind: 'metadata', version: 'v1' }],
    ['application/json; as="PartialObjectMetadataList"; g=meta.k8s.io; v=v1', { kind: 'metadata', version: 'v1' }],
    ['text/html, application/json;stream=watch', { kind: 'object' }],
  ])('%j gives %j', (accept, expected) => {
    expect(negotiate(accept)).toEqual(expected)
  })

  it.each([
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    'text/html',
    'application/json;q=0',
    'application/json;q=x',
    table('v2'),
    'application/json;as=Table;v=v1;g=other',
    'application/json;as=Chair;v=v1;g=meta.k8s.io',
  ])('%j is refused with 406', (accept) => {
    expect(() => negotiate(accept)).toThrow(expect.objectContaining({ code: 406, reason: 'NotAcceptable' }))
  })
})
