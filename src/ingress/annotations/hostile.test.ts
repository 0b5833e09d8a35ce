import { expect, it } from 'vitest'
import { annotationTable } from './table.ts'

const PIECES = [
  '$',
  '${',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx writes variables so
  '${a}',
  'a${',
  '"',
  "'",
  '"\\',
  '{',
  '#',
  '\n',
  'a ',
  '\\',
  'a.',
  '*.',
  ',',
  '(',
  '((a*)*)*',
  '10.0.0.1,',
  'a:b ',
  '0',
  '%41',
  '://',
  '-',
]
const BEFORE = ['', 'https://', '/', 'http://a', 'add_header X ', 'CN=']
const LENGTH = 16_000
/** The slowest takes some 10 ms on an idle machine; one that looks at the text once for each character takes a second. */
const LIMIT_MS = 400

it('no text of repeated pieces keeps a grammar busy', () => {
  const slow: string[] = []
  for (const before of BEFORE) {
    for (const piece of PIECES) {
      const text = (before + piece.repeat(LENGTH)).slice(0, LENGTH)
      for (const [name, { parse, guardOf }] of annotationTable) {
        const timed = (): number => {
          const start = performance.now()
          parse(text)
          guardOf?.(text)
          return performance.now() - start
        }
        // Twice: another process may have had the processor.
        if (timed() > LIMIT_MS && timed() > LIMIT_MS) slow.push(`${name} ${before}${piece}`)
      }
    }
  }
  expect(slow).toEqual([])
}, 120_000)
