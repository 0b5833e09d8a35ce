import type { OutgoingHttpHeaders } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { addFieldLines, fieldObject } from './response-fields.ts'

const read = (lines: string): OutgoingHttpHeaders => {
  const fields = fieldObject()
  addFieldLines(lines, fields)
  return { ...fields }
}

describe('field lines become', () => {
  it.each<[string, string, OutgoingHttpHeaders]>([
    ['nothing', '', {}],
    ['names in lower case', 'Content-Type: text/plain\r\n', { 'content-type': 'text/plain' }],
    ['values without blanks around', 'X-A: \t b \r\n', { 'x-a': 'b' }],
    ['an empty value', 'X-A:\r\n', { 'x-a': '' }],
    ['a value with colons', 'X-A: a:b:c\r\n', { 'x-a': 'a:b:c' }],
    ['lists', 'Set-Cookie: a\r\nset-cookie: b\r\nSET-COOKIE: c\r\n', { 'set-cookie': ['a', 'b', 'c'] }],
    ['the first of what is once only', 'ETag: a\r\netag: b\r\nLocation: /\r\nlocation: //evil\r\n', { etag: 'a', location: '/' }],
    [
      'no field of a connection',
      'Connection: close\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\nProxy-Connection: a\r\nX-A: b\r\n',
      { 'x-a': 'b' },
    ],
    ['no field that Node throws for', 'TE: gzip\r\nHTTP2-Settings: AAM\r\nX-A: b\r\n', { 'x-a': 'b' }],
    ['no line that is no field', 'no colon\r\nX A: b\r\n: c\r\nX-B: d\r\n', { 'x-b': 'd' }],
    ['no pseudo-header', ':status: 500\r\nX-B: d\r\n', { 'x-b': 'd' }],
    ['nothing of a line without its end', 'X-A: b\r\nX-C: d', { 'x-a': 'b' }],
  ])('%s', (_what, lines, fields) => {
    expect(read(lines)).toEqual(fields)
  })

  it('names that objects have, as any other', () => {
    const fields = fieldObject()
    addFieldLines('__proto__: a\r\nconstructor: b\r\n', fields)
    expect(Object.entries(fields)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })
})
