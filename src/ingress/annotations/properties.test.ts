import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { annotationTable } from './table.ts'
import { policyFor, settingsFor } from './testing/index.ts'

const names = [...annotationTable.keys()]

/** Texts that look like values, with what breaks out of nginx's, HTTP's or a URL's syntax in between. */
const piece = fc.oneof(
  fc.constantFrom(
    'https://',
    'a.io',
    '/',
    '/x',
    '$host',
    '$request_uri',
    '$1',
    '$http_x',
    '$unknown',
    '${',
    '}',
    '{',
    ';',
    '\r\n',
    '\n',
    '\0',
    '"',
    "'",
  ),
  fc.constantFrom(
    'true',
    'false',
    'on',
    'off',
    '10.0.0.0/8',
    '5',
    '8m',
    'basic',
    'cookie',
    'add_header',
    'X-A',
    'deny all;',
    '(.*)',
    '\\',
    ' ',
    ',',
    '#',
    '%0d%0a',
  ),
  fc.string({ maxLength: 8 }),
)
const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
const annotations = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...names),
    fc.string({ maxLength: 20 }).map((rest) => `nginx.ingress.kubernetes.io/${rest}`),
  ),
  text,
  {
    maxKeys: 6,
  },
)

const KNOWN = new Set([
  'host',
  'scheme',
  'method',
  'path',
  'query',
  'requestUri',
  'clientAddress',
  'requestId',
  'escapedUrl',
  'escapedRequestUri',
  'capture',
  'header',
  'cookie',
  'argument',
])

/** Every text and every variable of a value, however deep. */
const leaves = function* (value: unknown): Generator<string | { readonly of: string }> {
  if (typeof value === 'string') yield value
  else if (value instanceof Map) for (const entry of value) yield* leaves(entry)
  else if (Array.isArray(value)) for (const each of value) yield* leaves(each)
  else if (typeof value === 'object' && value !== null) {
    if ('of' in value && typeof value.of === 'string') yield { of: value.of }
    for (const each of Object.values(value)) yield* leaves(each)
  }
}

describe('whatever annotations say', () => {
  it('nothing is thrown, no line break or NUL and no unlisted variable gets into a policy', () => {
    fc.assert(
      fc.property(annotations, (given) => {
        for (const leaf of leaves(policyFor(given))) {
          if (typeof leaf === 'string') expect(leaf).not.toMatch(/[\r\n\0]/)
          else expect(KNOWN.has(leaf.of)).toBe(true)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('a guard that cannot be read closes', () => {
    const guarding = names.filter((name) => annotationTable.get(name)?.guard !== undefined)
    fc.assert(
      fc.property(fc.constantFrom(...guarding), text, (name, value) => {
        const settings = settingsFor({ [name]: value })
        const isUnread = settings.findings.some((finding) => finding.annotation === name)
        expect(settings.policy.refusal !== undefined || !isUnread).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })

  it('a value that cannot be read leaves all others as they are', () => {
    const harmless = names.filter((name) => {
      const row = annotationTable.get(name)
      return row?.guard === undefined && row?.guardOf === undefined
    })
    const base = { 'proxy-body-size': '8m', 'limit-rps': '5', 'whitelist-source-range': '10.0.0.0/8' }
    const plain = policyFor(base)
    fc.assert(
      fc.property(fc.constantFrom(...harmless), (name) => {
        if (name.endsWith('/proxy-body-size')) return
        expect(policyFor({ ...base, [name]: '\u0001 nothing that anybody reads' })).toEqual(plain)
      }),
    )
  })

  it('a message is one line of printable ASCII, and short', () => {
    fc.assert(
      fc.property(annotations, (given) => {
        for (const { message } of settingsFor(given).findings) expect(message).toMatch(/^[ -~]{1,1500}$/)
      }),
    )
  })
})
