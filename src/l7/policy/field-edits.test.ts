import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FieldEdits } from '../table/index.ts'
import { compileEdits, mapFields, withFieldLines } from './field-edits.ts'
import { request } from './testing/request.ts'

const FIELDS = 'Accept: */*\r\nX-Team: blue\r\nx-team: green\r\nCookie: a=b\r\n'

describe('field edits', () => {
  it.each<[string, FieldEdits, string]>([
    ['nothing', {}, FIELDS],
    ['removed, every line of the name', { remove: ['x-team'] }, 'Accept: */*\r\nCookie: a=b\r\n'],
    ['set replaces', { set: [['x-team', ['red']]] }, 'Accept: */*\r\nCookie: a=b\r\nX-Team: red\r\n'],
    ['set adds what is not there', { set: [['x-new', ['1']]] }, `${FIELDS}X-New: 1\r\n`],
    ['set to nothing removes', { set: [['cookie', ['']]] }, 'Accept: */*\r\nX-Team: blue\r\nx-team: green\r\n'],
    ['add keeps what is there', { add: [['cookie', ['c=d']]] }, `${FIELDS}Cookie: c=d\r\n`],
    [
      'variables',
      { set: [['x-from', [{ of: 'clientAddress' }, '/', { of: 'scheme' }]]] },
      `${FIELDS}X-From: 192.0.2.7/https\r\n`,
    ],
    ['line breaks in a value go', { set: [['x-new', ['1\r\nHost: evil']]] }, `${FIELDS}X-New: 1Host: evil\r\n`],
    ['framing is not touched', { set: [['content-length', ['5']]], remove: ['transfer-encoding', 'host'] }, FIELDS],
    [
      'a name that is none is not written',
      {
        add: [
          ['x y', ['1']],
          ['x:y', ['1']],
          ['', ['1']],
        ],
      },
      FIELDS,
    ],
  ])('%s', (_title, edits, fields) => {
    expect(compileEdits(edits)(FIELDS, request())).toBe(fields)
  })

  it.each([
    [200, 'A: 1\r\nX-New: 1\r\n'],
    [404, 'A: 1\r\n'],
  ])('for some statuses: %s', (status, fields) => {
    const edits: FieldEdits = { set: [['x-new', ['1']]], remove: ['x-old'], statuses: [200] }
    expect(compileEdits(edits)('A: 1\r\nX-Old: 1\r\n', request(), status)).toBe(fields)
  })

  it('keeps framing whatever the request and the templates hold', () => {
    const name = fc.constantFrom('a', 'x-b', 'X-B', 'cookie', 'content-length', 'bad name', 'c\r\n', '')
    const lines = fc.array(
      fc
        .tuple(fc.constantFrom('A', 'x-b', 'COOKIE', 'Content-Length'), fc.constantFrom('', '1', 'a: b', '\t:'))
        .map(([n, v]) => `${n}: ${v}\r\n`),
    )
    const value = fc.string({ unit: 'binary' })
    const edit = fc.array(fc.tuple(name, value), { maxLength: 3 })
    fc.assert(
      fc.property(lines, edit, edit, fc.array(name, { maxLength: 2 }), value, (texts, set, add, remove, bytes) => {
        const edits = compileEdits({
          set: set.map(([n, v]) => [n, [v, { of: 'header', name: 'h' }]]),
          add: add.map(([n, v]) => [n, [{ of: 'header', name: 'h' }, v]]),
          remove,
        })
        const edited = edits(texts.join(''), request({ fields: { h: bytes } }))
        expect(edited).toMatch(/^(?:[A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/)
        const framing = (text: string): readonly string[] => text.split('\r\n').filter((line) => /^content-length:/i.test(line))
        expect(framing(edited)).toEqual(framing(texts.join('')))
        expect(edited.split('\r\n').length).toBeLessThanOrEqual(texts.length + set.length + add.length + 1)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('withFieldLines', () => {
  it('removes, then adds', () => {
    expect(withFieldLines(FIELDS, { remove: ['x-team', 'x-user'], lines: 'X-User: ann\r\n' })).toBe(
      'Accept: */*\r\nCookie: a=b\r\nX-User: ann\r\n',
    )
    expect(withFieldLines(FIELDS, { remove: [], lines: '' })).toBe(FIELDS)
  })

  it('removes spellings that many programs take for the same name', () => {
    const fields = 'X_User: eve\r\nx.user: eve\r\nX-Users: 1\r\n'
    expect(withFieldLines(fields, { remove: ['x-user'], lines: '' })).toBe('X-Users: 1\r\n')
    expect(withFieldLines('X-User: ann\r\n', { remove: ['x_user'], lines: '' })).toBe('X-User: ann\r\n')
  })
})

describe('mapFields', () => {
  it('changes the values of one name', () => {
    expect(mapFields('A: 1\r\nlocation:/x \r\nB: 2\r\nLocation: y\r\n', 'location', (value) => `<${value}>`)).toBe(
      'A: 1\r\nlocation: </x>\r\nB: 2\r\nLocation: <y>\r\n',
    )
  })
})
