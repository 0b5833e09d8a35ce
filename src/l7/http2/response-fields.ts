import type { OutgoingHttpHeaders } from 'node:http2'
import { fieldName } from './field-names.ts'

/** Of these Node sends one only; of a second, which no honest pod sends, nothing is passed on. */
const SINGLE = new Set(
  [
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization content-encoding',
    'content-language content-length content-location content-md5 content-range content-type date dnt etag expires from host if-match',
    'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards proxy-authorization range referer',
    'retry-after tk upgrade-insecure-requests user-agent x-content-type-options',
  ]
    .join(' ')
    .split(' '),
)

/** A field object without a prototype's names (`__proto__` is a legal name) that is still fast to fill. */
function FieldObject(): void {}
FieldObject.prototype = Object.create(null)

export const fieldObject = (): OutgoingHttpHeaders => new (FieldObject as unknown as new () => OutgoingHttpHeaders)()

/** Field lines (each with its CRLF) as Node's HTTP/2 takes them: names in lower case, several values as a list, nothing that belongs to a connection. */
export const addFieldLines = (lines: string, into: OutgoingHttpHeaders): void => {
  for (let from = 0; from < lines.length; ) {
    const colon = lines.indexOf(':', from)
    const end = lines.indexOf('\r\n', from)
    if (colon === -1 || end === -1) return
    if (colon < end) add(into, lines.slice(from, colon), lines.slice(valueStart(lines, colon + 1), end))
    from = end + 2
  }
}

const BLANK = 0x20
const valueStart = (lines: string, from: number): number => {
  let at = from
  while (lines.charCodeAt(at) === BLANK || lines.charCodeAt(at) === 0x09) at++
  return at
}

/** Node throws for these. */
const OF_HTTP1 = new Set(['te', 'http2-settings'])

const add = (into: OutgoingHttpHeaders, name: string, text: string): void => {
  const { lower, kind, isConnectionSpecific } = fieldName(name)
  if (kind === -1 || isConnectionSpecific || OF_HTTP1.has(lower)) return
  const value = text.trimEnd()
  const before = into[lower]
  if (before === undefined) into[lower] = value
  else if (Array.isArray(before)) before.push(value)
  else if (!SINGLE.has(lower)) into[lower] = [String(before), value]
}
