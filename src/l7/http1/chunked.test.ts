import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkedDecoder, lastChunk } from './chunked.ts'

interface Decoded {
  readonly body: string
  readonly end: 'done' | 'error' | 'more'
  readonly rest: string
  readonly trailers: string
}

const decode = (text: string, cuts: readonly number[] = []): Decoded => {
  const bytes = Buffer.from(text, 'latin1')
  const decoder = new ChunkedDecoder()
  let body = ''
  const sink = {
    bodyBytes: (piece: Buffer, from: number, to: number) => {
      body += piece.toString('latin1', from, to)
    },
  }
  let at = 0
  for (const to of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
    if (to < at) continue
    at = decoder.decode(bytes, { from: at, to }, sink)
    if (at === -1) return { body: '', end: 'error', rest: '', trailers: '' }
    if (decoder.isDone) return { body, end: 'done', rest: text.slice(at), trailers: decoder.trailers }
  }
  return { body, end: 'more', rest: '', trailers: '' }
}

describe('ChunkedDecoder', () => {
  it.each<[string, Partial<Decoded>]>([
    ['0\r\n\r\n', { end: 'done', body: '' }],
    ['5\r\nhello\r\n0\r\n\r\nGET', { end: 'done', body: 'hello', rest: 'GET' }],
    ['A\r\n0123456789\r\n000\r\n\r\n', { end: 'done', body: '0123456789' }],
    ['5;name=value;q="x"\r\nhello\r\n0;x\r\n\r\n', { end: 'done', body: 'hello' }],
    ['0\r\nX-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nHost: y\r\n\r\n', { end: 'done', trailers: 'X-Sum: 1\r\n' }],
    ['5\r\nhel', { end: 'more', body: 'hel' }],
    ['5\r\nhello0\r\n\r\n', { end: 'error' }],
    ['5\nhello\r\n0\r\n\r\n', { end: 'error' }],
    ['5\r\nhello\n0\r\n\r\n', { end: 'error' }],
    ['0\r\n\n', { end: 'error' }],
    ['0\n\r\n', { end: 'error' }],
    ['-5\r\nhello\r\n', { end: 'error' }],
    ['+5\r\nhello\r\n', { end: 'error' }],
    ['0x5\r\nhello\r\n', { end: 'error' }],
    [' 5\r\nhello\r\n', { end: 'error' }],
    ['5 \r\nhello\r\n', { end: 'error' }],
    ['\r\nhello\r\n', { end: 'error' }],
    [';x\r\n', { end: 'error' }],
    ['5_0\r\n', { end: 'error' }],
    ['fffffffffffff\r\n', { end: 'error' }],
    ['5;a\0b\r\nhello\r\n', { end: 'error' }],
    [`1;${'e'.repeat(5_000)}\r\na\r\n0\r\n\r\n`, { end: 'error' }],
    [`${'1;ee\r\na\r\n'.repeat(3_000)}0\r\n\r\n`, { end: 'error' }],
    [`0\r\n${'a: b\r\n'.repeat(3_000)}\r\n`, { end: 'error' }],
    ['0\r\nbad line\r\n\r\n', { end: 'error' }],
    ['0\r\n folded: x\r\n\r\n', { end: 'error' }],
    ['0\r\na: b\rc\r\n\r\n', { end: 'error' }],
  ])('%j', (text, expected) => expect(decode(text)).toMatchObject(expected))

  it('decodes what was encoded, at any split', () => {
    const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', ';'), minLength: 1, maxLength: 40 }), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(chunks, fc.array(fc.nat({ max: 200 })), (pieces, cuts) => {
        const text = `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}${lastChunk('')}next`
        expect(decode(text, cuts)).toEqual({ body: pieces.join(''), end: 'done', rest: 'next', trailers: '' })
      }),
    )
  })

  it('judges any bytes the same at any split', () => {
    const text = fc.string({
      unit: fc.constantFrom('0', '1', 'a', ';', '\r', '\n', '\r\n', '0\r\n\r\n', ':', ' '),
      maxLength: 40,
    })
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 60 })), (bytes, cuts) => {
        expect(decode(bytes, cuts)).toEqual(decode(bytes))
      }),
      { numRuns: 2_000 },
    )
  })
})
