import { describe, expect, it } from 'vitest'
import { problemLines } from '../testing/index.ts'
import type { ObjectMeta } from './object-meta.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta-validation.ts'

const RULES = { namespaced: true, nameRule: 'dns1123Subdomain' } as const
const fine: ObjectMeta = { name: 'web', namespace: 'default' }
const check = (meta: Partial<ObjectMeta>, rules: Parameters<typeof validateObjectMeta>[1] = RULES) =>
  problemLines(validateObjectMeta({ ...fine, ...meta }, rules))

describe('metadata of a new object', () => {
  it.each<[string, Partial<ObjectMeta>, string[]]>([
    ['is fine', {}, []],
    ['needs a name', { name: '' }, ['metadata.name: Required name or generateName is required']],
    ['needs a namespace', { namespace: '' }, ['metadata.namespace: Required']],
    ['has a namespace without dots', { namespace: 'a.b' }, ['metadata.namespace: Invalid must not contain dots']],
    [
      'has keys and values that labels may have',
      { labels: { 'a/b/c': '', x: 'a b' } },
      [
        "metadata.labels: Invalid a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        "metadata.labels: Invalid a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    ['may have annotations with capitals in their prefix', { annotations: { 'Example.com/X': 'any text\n' } }, []],
    [
      'has no more than 256 KiB of annotations',
      { annotations: { a: 'x'.repeat(256 * 1024) } },
      ['metadata.annotations: TooLong may not be more than 262144 bytes'],
    ],
    [
      'counts annotations in bytes',
      { annotations: { a: 'ä'.repeat(128 * 1024) } },
      ['metadata.annotations: TooLong may not be more than 262144 bytes'],
    ],
    [
      'has owners that are whole',
      { ownerReferences: [{ apiVersion: 'apps/', kind: '', name: '', uid: '' }] },
      [
        'metadata.ownerReferences.apiVersion: Invalid version must not be empty',
        'metadata.ownerReferences.kind: Invalid must not be empty',
        'metadata.ownerReferences.name: Invalid must not be empty',
        'metadata.ownerReferences.uid: Invalid must not be empty',
      ],
    ],
    [
      'has one controller',
      {
        ownerReferences: [
          { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1', controller: true },
          { apiVersion: 'v1', kind: 'B', name: 'b', uid: '2', controller: true },
        ],
      },
      [
        'metadata.ownerReferences: Invalid Only one reference can have Controller set to true. Found "true" in references for A/a and B/b',
      ],
    ],
    [
      'is not owned by an Event',
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'a', uid: '1' }] },
      ['metadata.ownerReferences: Invalid /v1, Kind=Event is disallowed from being an owner'],
    ],
    [
      'has finalizers with names',
      { finalizers: ['a/b/c'] },
      [
        "metadata.finalizers: Invalid a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      ],
    ],
    [
      'waits for its dependents or leaves them',
      { finalizers: ['orphan', 'foregroundDeletion'] },
      ['metadata.finalizers: Invalid finalizer orphan and foregroundDeletion cannot be both set'],
    ],
    [
      'has a generateName that makes names',
      { generateName: 'Web-' },
      [
        "metadata.generateName: Invalid a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      ],
    ],
  ])('%s', (_, meta, expected) => {
    expect(check(meta)).toEqual(expected)
  })

  it('has no namespace where the kind has none', () => {
    expect(check({}, { namespaced: false, nameRule: 'dns1123Label' })).toEqual([
      'metadata.namespace: Forbidden not allowed on this type',
    ])
  })
})

describe('metadata of a changed object', () => {
  const old: ObjectMeta = { ...fine, uid: '1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 2 }

  it.each(['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp'] as const)('keeps its %s', (field) => {
    const lines = problemLines(validateObjectMetaUpdate({ ...old, [field]: 'other' }, old))
    expect(lines).toEqual([`metadata.${field}: Invalid field is immutable`])
  })

  it('keeps labels and finalizers free', () => {
    expect(validateObjectMetaUpdate({ ...old, labels: { a: 'b' }, finalizers: ['a.b/c'] }, old)).toEqual([])
  })

  it('gets no finalizers while it is deleted', () => {
    const deleted = { ...old, deletionTimestamp: '2026-01-01T01:00:00Z', finalizers: ['a.b/c', 'a.b/d'] }
    expect(validateObjectMetaUpdate({ ...deleted, finalizers: ['a.b/c'] }, deleted)).toEqual([])
    expect(problemLines(validateObjectMetaUpdate({ ...deleted, finalizers: ['a.b/c', 'a.b/e'] }, deleted))).toEqual([
      'metadata.finalizers: Forbidden no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/e"}',
    ])
  })

  it('has a generation that does not fall', () => {
    expect(problemLines(validateObjectMetaUpdate({ ...old, generation: 1 }, old))).toEqual([
      'metadata.generation: Invalid must not be decremented',
    ])
  })
})
