import { fieldKind } from '../http1/fields.ts'

/** What is known of a field's name, found once for each name. */
export interface FieldName {
  /** In lower case, as HTTP/2 wants it. */
  readonly lower: string
  /** As the HTTP/1 side judges it; -1: no token. */
  readonly kind: number
  /** Belongs to a connection and has no place in HTTP/2 (RFC 9113 section 8.2.2). */
  readonly isConnectionSpecific: boolean
}

const CONNECTION_SPECIFIC = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

const MOST_KNOWN = 2_048
const LONGEST_KNOWN = 64
const known = new Map<string, FieldName>()

export const fieldName = (name: string): FieldName => {
  const found = known.get(name)
  if (found !== undefined) return found
  const made = judge(name)
  // Clients choose these keys, so the cache is emptied rather than grown.
  if (known.size >= MOST_KNOWN) known.clear()
  if (name.length <= LONGEST_KNOWN) known.set(name, made)
  return made
}

const judge = (name: string): FieldName => {
  const line = Buffer.from(`${name}:`, 'latin1')
  const lower = name.toLowerCase()
  // A name with a colon of its own would end there.
  const kind = name.includes(':') || !LATIN1.test(name) ? -1 : fieldKind(line, 0, line.length)
  return { lower, kind, isConnectionSpecific: CONNECTION_SPECIFIC.has(lower) }
}

const LATIN1 = /^[ -~]*$/

/** Visible characters, obs-text, and blanks that are not at an end (RFC 9113 section 8.2.1). */
export const isFieldValue = (value: string): boolean => FIELD_VALUE.test(value)

const FIELD_VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/
